"""Each table takes what it is for, refuses what cannot be with the way out, and has defaults that are enough."""

from pathlib import Path
from typing import get_args

import pytest

from service.domain import churn_table
from service.domain.config import InvalidConfiguration, TenantConfig, parse
from service.domain.config.document import Form
from service.domain.config.reports import ReportName
from service.domain.config.terms import seconds
from service.reports.layouts import LAYOUTS
from tests.config.shapes import SHAPES

EXAMPLE = (Path(__file__).parent / "example.toml").read_text()
SLO = "[[slo]]\nname = 'a'\nobjective = 0.9\n"
GOAL = "[[goal]]\nkpi = 'error_rate'\nop = '<'\ntarget = 0.1\n"
REPORT = "[[report]]\nname = 'weekly'\nschedule = '0 6 * * 1'\n"
FUNNEL = "[[funnel]]\nname = 'f'\n"


def said(text: str, form: Form = "toml") -> str:
    with pytest.raises(InvalidConfiguration) as caught:
        parse(text, known_kpis=SHAPES, form=form)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[programme]\nstart = 2025-11-17\n", "weeks is missing"),
        ("[programme]\nstart = 2025-11-17\nweeks = 0\n", "greater than or equal to 1"),
        ("[programme]\nstart = 2025-11-17T00:00:00Z\nweeks = 8\n", "a date without quotes"),
        ("[milestones.a]\n", "write one of the two"),
        ("[milestones.a]\nfeature = 'x'\nall_of = ['b']\n", "write one of the two"),
        ("[milestones.a]\nall_of = ['a']\n", "a is derived of itself: a of a"),
        ("[milestones.a]\nall_of = ['b']\n[milestones.b]\nall_of = ['c']\n[milestones.c]\nall_of = ['a']\n", "a of b of c of a"),
        ("[milestones.a]\naccount = true\nfeature = 'x'\n[milestones.b]\nall_of = ['a']\n", "name milestones of its users"),
        (FUNNEL + "steps = [{ name = 'x', users = 'actve' }]\n", "did you mean active?"),
        (FUNNEL + "steps = [{ name = 'x', accounts = 'feature:x' }]\n", "milestone:NAME"),
        (FUNNEL + "steps = [{ name = 'x', accounts = 'invited', users = 'active' }]\n", "one of the two"),
        (FUNNEL + "steps = [{ name = 'x', users = 'active', base = 'y' }]\n", "y is no step before this one; leave it out"),
        (
            FUNNEL + "steps = [{ name = 'login', users = 'active' }, { name = 'y', users = 'active', base = 'logn' }]\n",
            "did you mean login?; name one of login",
        ),
        (FUNNEL + "steps = [{ name = 'x', users = 'active' }, { name = 'x', users = 'active' }]\n", "is a step already"),
        (FUNNEL + "ordered = true\nsteps = [{ name = 'x', accounts = 'invited' }]\n", "follows users"),
        (FUNNEL + "within = '7 days'\nsteps = [{ name = 'x', users = 'active' }]\n", "no stretch of time"),
        (2 * (FUNNEL + "steps = [{ name = 'x', users = 'active' }]\n"), "f is a funnel already"),
        ("[bands.mrrr]\nedges = [1]\nnames = ['a', 'b']\n", "mrrr is no number of an account"),
        ("[bands.mrr]\nedges = [2, 1]\nnames = ['a', 'b', 'c']\n", "from the lowest to the highest"),
        ("[bands.mrr]\nedges = [1, 2]\nnames = ['a', 'b']\n", "2 edges make 3 ranges, and 2 have names"),
        ("[bands.mrr]\nedges = [1]\nnames = ['a', 'a']\n", "the same name"),
        ("[bands.'meter:~x']\nedges = [1]\nnames = ['a', 'b']\n", "do not begin with ~"),
        (f"[bands.mrr]\nedges = [{10**16}]\nnames = ['a', 'b']\n", "less than or equal to 1000000000000000"),
        (f"[recovery]\nrevenue_buckets = [{10**400}]\n", "less than or equal to 1000000000000000"),
        ("[freshness.billing]\nlimit = 3\n", "did you mean limit_s?"),
        ("[freshness.billing]\nlimit_s = 0\n", "greater than 0"),
        ("[completeness]\nusages = []\n", "did you mean usage?"),
        ("[completeness]\nusage = ['feature']\n", "feature is no optional field of usage"),
        ("[completeness]\nrequest = ['regio']\n", "did you mean region?"),
        ("[[incident_limit]]\nseverity = 'P4'\nresolve = '4h'\n", "write one of"),
        ("[[incident_limit]]\nseverity = 'P1'\nresolve = '2bh'\n", "no stretch of time"),
        ("[[incident_limit]]\nseverity = 'P1'\nresolve = '401d'\n", "longer than 400 days"),
        (2 * "[[incident_limit]]\nseverity = 'P1'\nresolve = '4h'\n", "P1 is limited already"),
        ("[[alert]]\nkpi = 'error_rte'\nop = '>'\nvalue = 1\n", "did you mean error_rate?"),
        ("[[alert]]\nkpi = 'error_rate'\nop = '>'\nvalue = '5s'\n", "is a time"),
        ("[[alert]]\nkpi = 'mttr'\nop = '>'\nvalue = 1\n", "name one after a dot"),
        ("[[alert]]\nkpi = 'meter.p95'\nop = '>'\nvalue = 1\n", "name it, as {meter=…}"),
        ("[[alert]]\nkpi = 'error_rate'\nop = '>'\nvalue = 1\nlevel = 'urgent'\n", "critical"),
        ("[[alert]]\nkpi = 'error_rate'\nop = '>'\nvalue = 1\nfor = '4 h'\n", "no stretch of time"),
        (GOAL, "needs `due`, `due_after` or `windows_in_a_row`"),
        (GOAL + "due = 2025-12-15\ndue_after = 'milestone:go_live'\n", "write one of them"),
        (GOAL + "due_after = 'go_live + 30d'\n", "no due date"),
        (GOAL + "due_after = 'milestone:go_live + 9999d'\n", "nearer date"),
        (GOAL + "windows_in_a_row = 0\n", "greater than or equal to 1"),
        (GOAL + "due = '2025-12-15'\n", "a date without quotes"),
        (SLO + "kind = 'avaiability'\n", "write one of"),
        (SLO + "kind = 'request_latency'\n", "needs `limit_ms`"),
        (SLO + "kind = 'availability'\nlimit_ms = 5\n", "leave it out"),
        (SLO + "kind = 'delivery_on_time'\nwhere = { integraton = 'sap' }\n", "did you mean integration?"),
        ("[[slo]]\nname = 'a'\nkind = 'availability'\nobjective = 1\n", "less than 1"),
        ("[[slo]]\nname = 'a'\nkind = 'availability'\nobjective = 99.9\n", "1"),
        (2 * (SLO + "kind = 'availability'\n"), "a is an SLO already"),
        ("[health.adoptoin]\nwau_share = 1\n", "did you mean adoption?"),
        ("[health.adoption]\nwau_shre = 1\n", "did you mean wau_share?"),
        ("[health.adoption]\nwau_share = 0\n", "greater than 0"),
        ("[health.adoption]\n", "at least 1"),
        ("[health.delivery]\n'delivery_latency' = 1\n", "name one after a dot"),
        ("[churn]\nbudget_cuts = 5\n", "did you mean budget_cut?"),
        ("[churn]\nbudget_cut = 101\n", "100 points at the most"),
        ("[churn]\nbudget_cut = 1.5\n", "a whole number"),
        ("[churn]\nsignal_days = 0\n", "lasts 1 to 730 days"),
        ("[[sla]]\ncategory = 'billing'\n", "write `response`, `resolution` or both"),
        ("[[sla]]\nresponse = '8 hours'\n", "no limit of support"),
        ("[[sla]]\nresponse = '1w'\n", "no limit of support"),
        ("[[sla]]\nresolution = '401bd'\n", "longer than 400 days"),
        ("[[sla]]\ntier = 'gold'\nresponse = '8h'\n", "write one of"),
        ("[[escalation]]\npriority = 'P0'\nafter = '4h'\nlevel = 5\n", "less than or equal to 4"),
        ("[items]\ncolours = { high = 'red' }\n", "write PROBABILITY_IMPACT"),
        ("[items.colours]\nhigh_high = 'pink'\n", "write one of"),
        ("[recovery]\nrate_buckets = [0.3, 0.2]\n", "from the lowest to the highest"),
        ("[recovery]\nrevenue_buckets = [0.5]\n", "a whole number"),
        ("[[formula]]\nid = 'Clv'\nexpression = 'clv'\n", "no id of a KPI"),
        ("[[formula]]\nid = 'x'\nexpression = 'clvv / cac'\n", "did you mean clv?"),
        ("[[formula]]\nid = 'x'\nexpression = 'clv / '\n", "column 7"),
        ("[[formula]]\nid = 'x'\nexpression = 'x * 2'\n", "there is no KPI x"),
        ("[[formula]]\nid = 'clv'\nexpression = 'cac'\n", "there is a KPI clv already"),
        (2 * "[[formula]]\nid = 'x'\nexpression = 'cac'\n", "x is a formula already"),
        ("[[report]]\nname = 'weekly'\n", "schedule is missing"),
        ("[[report]]\nname = 'weekly'\nschedule = '0 6 * *'\n", "no schedule of five fields"),
        ("[[report]]\nname = 'weekly'\nschedule = '0 0 6 * * 1'\n", "no schedule of five fields"),
        ("[[report]]\nname = 'weekly'\nschedule = '61 6 * * 1'\n", "Bad minute"),
        ("[[report]]\nname = 'weekly'\nschedule = '0 6 30 2 *'\n", "Bad day-of-month"),
        ("[[report]]\nname = 'weekly'\nschedule = '*/5 * * * *'\n", "several times an hour"),
        (REPORT + "webhook = 'http://hooks.example.com'\n", "begins with https://"),
        (REPORT + "webhook = 'https:///x'\n", "names a host"),
        (REPORT + "webhook = 'https://me:secret@example.com'\n", "leave it out"),
        (REPORT + "webhook = 'https://example.com:99999'\n", "no address"),
        (REPORT + "formats = ['doc']\n", "write one of"),
        (2 * REPORT, "weekly is a report already"),
        (REPORT.replace("weekly", "weekl"), "write one of"),
        ("[programme.x]\n", "there is no key x here"),
        ("programme = 1\n", "is written as [programme]"),
        ("[sla]\n", "is written as [[sla]]"),
        ("[[churn]]\n", "is written as [churn]"),
        ("milestones = 1\n", "is written as [milestones.NAME]"),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(text: str, hint: str) -> None:
    assert hint in said(text)


def test_what_is_wrong_between_milestones_or_steps_is_told_beside_what_is_wrong_with_each() -> None:
    text = (
        "[milestones.a]\nall_of = ['b']\naccont = true\n[milestones.b]\nall_of = ['a']\n"
        "[[funnel]]\nname = 'f'\nsteps = [\n  { name = 'x', users = 'actve' },\n"
        "  { name = 'y', users = 'active', base = 'z' },\n]\n"
    )
    assert [each.partition(": ")[0] for each in said(text).splitlines()] == ["line 2", "line 3", "line 5", "line 9", "line 10"]


def test_a_stretch_of_time_is_kept_as_it_is_written_and_means_seconds() -> None:
    (funnel,) = parse(FUNNEL + "within = '2w'\nsteps = [{ name = 'x', users = 'active' }]\n").funnels
    assert funnel.within == "2w"
    assert [seconds(each) for each in ("30s", "30m", "30min", "4h", "7d", "2w")] == [30, 1_800, 1_800, 14_400, 604_800, 1_209_600]


def test_what_is_declared_leaves_the_defaults_of_other_names() -> None:
    config = parse(
        "[bands.size]\nedges = [10]\nnames = ['s', 'l']\n[churn]\nmerger = 3\n[items]\ncolours = { low_low = 'yellow' }\n"
        "[[incident_limit]]\nseverity = 'P1'\nresolve = '2h'\n[completeness]\nticket = ['category']\n"
        "[health.delivery]\ndeliveries = 1\n"
    )
    default = TenantConfig()
    assert config.bands["size"].names == ("s", "l")
    assert config.bands["mrr"] == default.bands["mrr"]
    assert config.churn == default.churn | {"merger": 3}
    assert config.items.colours == default.items.colours | {"low_low": "yellow"}
    assert [(each.severity, each.resolve) for each in config.incident_limits] == [
        ("P0", "1h"),
        ("P1", "2h"),
        ("P2", "24h"),
        ("P3", "5d"),
    ]
    assert config.completeness == {"usage": ("account",), "ticket": ("category",)}
    assert config.health.delivery == {"deliveries": 1.0}
    assert config.health.adoption == default.health.adoption


def test_a_list_that_is_declared_replaces_the_default_one() -> None:
    config = parse(SLO + "kind = 'availability'\n" + FUNNEL + "steps = [{ name = 'x', users = 'active' }]\n")
    assert [each.name for each in config.slos] == ["a"]
    assert [each.name for each in config.funnels] == ["f"]


def test_a_formula_is_a_kpi_for_the_rest_of_the_file_and_for_those_below_it() -> None:
    text = (
        "[[formula]]\nid = 'a'\nexpression = 'clv / cac'\n[[formula]]\nid = 'b'\nexpression = 'a * 2'\n"
        "[[target]]\nkpi = 'b'\nop = '>'\ntarget = '50%'\n[scorecard.s]\nrows = ['a']\n"
    )
    config = parse(text, known_kpis=SHAPES)
    assert (config.formulas[1].expression, config.targets[0].target) == ("a * 2", 0.5)


def test_what_names_a_formula_with_a_mistake_is_not_wrong_for_that() -> None:
    text = "[[formula]]\nid = 'a'\nexpression = 'nope'\n[[target]]\nkpi = 'a'\nwindow = 'week'\nop = '>'\ntarget = 1\n"
    assert said(text).splitlines() == ["line 3: formula[0].expression: column 1: there is no KPI nope"]


def test_support_hours_are_in_the_tenants_zone_where_no_other_is_named() -> None:
    assert parse("[tenant]\ntimezone = 'Asia/Tokyo'\n").support_timezone == "Asia/Tokyo"
    assert parse("[tenant]\ntimezone = 'Asia/Tokyo'\nsupport_timezone = 'UTC'\n").support_timezone == "UTC"


def test_rows_of_churn_have_names_of_their_own_and_groups_are_of_them() -> None:
    assert len(churn_table.POINTS) == len(churn_table.ROWS)
    assert {name for group in churn_table.GROUPS for name in group} <= set(churn_table.POINTS)
    assert TenantConfig().churn == {**churn_table.POINTS, "signal_days": churn_table.SIGNAL_DAYS}


def test_what_can_be_scheduled_are_the_reports_that_there_are() -> None:
    assert set(get_args(ReportName)) == set(LAYOUTS)


def test_json_has_the_files_own_form() -> None:
    config = parse(EXAMPLE, known_kpis=SHAPES)
    assert parse(config.to_json(), form="json") == config


def test_a_null_in_json_is_as_good_as_left_out() -> None:
    assert parse('{"features": null, "programme": null, "activity": {"wau_window": null}}', form="json") == parse("")


def test_a_date_in_json_is_the_midnight_that_begins_it() -> None:
    config = parse('{"valid_from": "2027-01-04", "tenant": {"timezone": "America/New_York"}}', form="json")
    assert config.valid_from is not None
    assert config.valid_from.isoformat() == "2027-01-04T05:00:00+00:00"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[]", "write an object"),
        ("{", "no JSON"),
        ('{"x": NaN}', "finite number"),
        ('{"tenant": {"timezone": "UTC", "timezone": "UTC"}}', "stands twice"),
        ('{"valid_from": "2027-01-04T05:00:00"}', "names no offset"),
        ('{"valid_from": "soon"}', "is no time"),
        ('{"valid_from": 5}', "valid_from"),
        ('{"programme": {"start": "soon", "weeks": 8}}', "programme.start"),
        ('{"tenant": {"currency": "\\ud800"}}', "JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"a":' * 20 + "1" + "}" * 20, "deep"),
    ],
)
def test_odd_json_is_told_to_be_so(text: str, hint: str) -> None:
    assert hint in said(text, "json")
