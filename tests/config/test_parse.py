"""A file is checked whole: every mistake at once, each with its key path and line."""

from dataclasses import replace
from pathlib import Path

import pytest

from service.catalog import Catalog
from service.domain.config import InvalidConfiguration, TenantConfig, parse
from tests.config.shapes import SHAPES

EXAMPLE = (Path(__file__).parent / "example.toml").read_text()


def mistakes_of(text: str) -> list[tuple[str, int]]:
    """Path and line of each mistake."""
    with pytest.raises(InvalidConfiguration) as caught:
        parse(text, known_kpis=SHAPES)
    return [(mistake.path, mistake.line) for mistake in caught.value.mistakes]


def message_of(text: str) -> str:
    with pytest.raises(InvalidConfiguration) as caught:
        parse(text, known_kpis=SHAPES)
    return str(caught.value)


def test_the_example_that_holds_every_key_has_no_mistake() -> None:
    config = parse(EXAMPLE, known_kpis=SHAPES)
    assert config.timezone == "America/New_York"
    assert config.integrations["benevity"].tracks_accepted
    assert [str(target.selector) for target in config.targets] == [
        "request_latency.p95",
        "delivery_on_time{integration=benevity}",
        "average_dau",
        "incidents{severity=P0,P1}",
    ]
    assert config.scorecards["sla"].rows[2] == "meter.p95{meter=page_load.dashboard}"


def test_a_configuration_reads_back_from_its_json() -> None:
    for text in (EXAMPLE, ""):
        config = parse(text, known_kpis=SHAPES)
        assert TenantConfig.from_json(config.to_json()) == config


def test_what_a_newer_version_stored_can_still_be_read() -> None:
    newer = parse("", timezone="Europe/Berlin").to_json().replace('{"tenant":{', '{"new":1,"tenant":{"new":1,')
    assert TenantConfig.from_json(newer) == parse("", timezone="Europe/Berlin")


def test_an_empty_file_has_the_defaults_of_every_table() -> None:
    config = parse("", timezone="Asia/Kathmandu")
    assert config.timezone == "Asia/Kathmandu"
    assert config.activity.wau_window == "7d"
    assert config.to_fold().timezone == "Asia/Kathmandu"
    assert config.to_fold() == TenantConfig().in_zone("Asia/Kathmandu").to_fold()


def test_folds_get_what_decides_how_events_are_counted() -> None:
    fold = parse(EXAMPLE, known_kpis=SHAPES).to_fold()
    assert fold.timezone == "America/New_York"
    assert fold.ignore_features == {"heartbeat"}
    assert fold.limit_ns == {"benevity": 500_000_000, "sap": 500_000_000}
    assert fold.properties == {"plan": 20}
    assert fold.frequency_features == {"csv_export"}


def test_a_group_that_is_ignored_stands_for_its_features() -> None:
    fold = parse("[activity]\nignore_features = ['beats', 'ping']\n[feature_groups]\nbeats = ['heartbeat', 'alive']\n").to_fold()
    assert fold.ignore_features == {"heartbeat", "alive", "ping"}


def test_every_mistake_is_told_at_once_with_its_path_and_line() -> None:
    text = """valid_from = 3
[tenant]
timezone = "Europe/Berln"
holidays = [2025-12-25,
  "boxing day"]
[activty]
x = 1
[activity]
power_user_uses = -1
[features]
"a,b" = { frequency = 1 }
[integrations.sap]
limit_ms = "5s"
[[target]]
op = "<="
[[target]]
kpi = "mttr.p98"
op = "=<"
target = "10 parsecs"
[target.where]
severty = "P0"
[[target]]
kpi = "incidents"
[scorecard.sla]
rows = [
  "availability",
  "uptime",
]
critical = ["error_rate"]
[[slo]]
nam = "x"
[sla]
"""
    assert mistakes_of(text) == [
        ("valid_from", 1),
        ("tenant.timezone", 3),
        ("tenant.holidays[1]", 5),
        ("activty", 6),
        ("activity.power_user_uses", 9),
        ('features."a,b"', 11),
        ('features."a,b".frequency', 11),
        ("integrations.sap.limit_ms", 13),
        ("target[0].kpi", 14),
        ("target[1].kpi", 17),
        ("target[1].op", 18),
        ("target[1].target", 19),
        ("target[2]", 22),
        ("scorecard.sla.rows[1]", 27),
        ("slo[0].name", 30),
        ("slo[0].kind", 30),
        ("slo[0].objective", 30),
        ("slo[0].nam", 31),
        ("sla", 32),
    ]


def test_mistakes_inside_a_list_or_a_table_have_each_their_own_line() -> None:
    text = """[features.a]
[feature_groups]
a = ["x"]
b = ["y",
  "c"]
c = ["b"]
[[target]]
kpi = "meter.p95"
op = "<="
target = 1
limit = 0.5
benchmark = [2, 1]
[[target]]
kpi = "incidents{severity=P0}"
op = "<="
target = 1
[target.where]
severty = "P0"
severity = "P1"
[scorecard.sla]
rows = ["availability"]
critical = [
  "error_rate",
  "availability",
  "incidents",
]
"""
    assert mistakes_of(text) == [
        ("feature_groups.b[1]", 5),
        ("feature_groups.c[0]", 6),
        ("target[0]", 7),
        ("target[0]", 7),
        ("target[0]", 7),
        ("target[1].where.severty", 18),
        ("target[1].where.severity", 19),
        ("scorecard.sla.critical[0]", 23),
        ("scorecard.sla.critical[2]", 25),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = 1\nb =\n", 2), ("[tenant]\ntimezone = 'UTC'\ntimezone = 'UTC'\n", 3), ("a = [1,\n2,\n", 2), ("a = \n", 1)],
)
def test_what_is_no_toml_is_told_with_its_line(text: str, line: int) -> None:
    assert mistakes_of(text) == [("", line)]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[activty]\n", "did you mean activity?"),
        ("[scorcard.sla]\n", "did you mean scorecard?"),
        ("[[sloo]]\n", "did you mean slo?"),
        ("[activity]\nignore_feature = []\n", "did you mean ignore_features?"),
        ("[[slo]]\nobjctive = 1\n", "did you mean objective?"),
        ("[meters.lcp]\n", "meters need no declaration"),
        ("[tenant]\ntimezone = 'Europe/Berln'\n", "did you mean Europe/Berlin?"),
        ("[[target]]\nkpi = 'incident'\nop = '<='\ntarget = 1\n", "did you mean incidents?"),
        ("[[target]]\nkpi = 'error_rate.5x'\nop = '<='\ntarget = 1\n", "did you mean 5xx?"),
        ("[[target]]\nkpi = 'incidents'\nop = '<='\ntarget = 1\nwhere = { sevrity = 'P0' }\n", "did you mean severity?"),
        ("[[target]]\nkpi = 'meter.p95'\nop = '<='\ntarget = 1\n", "name it, as {meter=…}"),
        ("[scorecard.a]\nrows = ['meter.p95']\n", "name it, as {meter=…}"),
        ("[[target]]\nkpi = 'average_dau'\nwindow = '5m'\nop = '<='\ntarget = 1\n", "no window 5m; it has 7d, week"),
        ("[[target]]\nkpi = 'incidents'\nop = '<='\ntarget = 1\nwhere = { account.tier = 'x' }\n", "write a list"),
        (
            "[[target]]\nkpi = 'incidents'\nop = '<='\ntarget = 1\nwhere = { 'account.tier' = 'x' }\n",
            "cannot be split by account.tier",
        ),
        ("[[target]]\nkpi = 'mttr'\nop = '<='\ntarget = 1\n", "name one after a dot"),
        ("[[target]]\nkpi = 'error_rate'\nop = '<='\ntarget = '5s'\n", 'a share such as "95%"'),
        ("[[target]]\nkpi = 'meter.p95{meter=x}'\nop = '<='\ntarget = '5s'\n", "the unit that its events name"),
        ("[[target]]\nkpi = 'error_rate'\nop = '<='\ntarget = 2\nlimit = 1\n", "stricter"),
        ("[[target]]\nkpi = 'error_rate'\nop = '>='\ntarget = 1\nlimit = 2\n", "stricter"),
        ("[[target]]\nkpi = 'error_rate'\nop = '>='\ntarget = 1\nlimit = [1, 2]\n", "is one number"),
        ("[[target]]\nkpi = 'average_dau'\nrange = [8, 10]\nlimit = 6\n", "a pair of numbers"),
        ("[[target]]\nkpi = 'average_dau'\nrange = [8, 10]\nlimit = [9, 12]\n", "the wider of the two"),
        ("[[target]]\nkpi = 'average_dau'\nrange = [10, 8]\n", "lower number first"),
        ("[[target]]\nkpi = 'average_dau'\nrange = [8, 10]\nop = '>='\n", "in place of"),
        ("[[target]]\nkpi = 'average_dau'\nrange = [8, 10, 12]\n", "at most 2"),
        ("[[target]]\nkpi = 'average_dau'\nop = '>='\ntarget = 1\nlimit = [1]\n", "a pair of numbers"),
        ("[[target]]\nkpi = 'incidents{severity=P0}'\nwhere = { severity = 'P1' }\nop = '<='\ntarget = 1\n", "stands in `kpi`"),
        ("[[target]]\nkpi = 'incidents'\nop = '<='\ntarget = nan\n", "finite"),
        ("[features.a]\nadoption_limit = 0.5\n", "needs an adoption_target"),
        ("[features.a]\nadoption_target = 30\n", "less than or equal to 1"),
        ("[features.a]\nfrequency = true\n[feature_groups]\na = ['b']\n", "line 2: features.a.frequency: a is a group"),
        ("[features.a]\n[feature_groups]\na = ['a', 'b']\n", "is a group"),
        ("[feature_groups]\na = ['b']\nb = ['c']\n", "is a group"),
        ("[scorecard.sla]\nrows = ['availability']\ncritical = ['error_rate']\n", "add it to `rows`"),
        ("[scorecard.sla]\nrows = []\n", "at least 1"),
        ("[properties]\na = {}\nb = {}\nc = {}\nd = {}\ne = {}\nf = {}\n", "at most 5"),
        ("[tenant]\nsupport_hours = '18:00-09:00'\n", "no hours of a day"),
        ("[activity]\ntime_to_first_value_from = 'user:signed_up'\n", "no start"),
        ("valid_from = 2027-01-04T05:00:00\n", "names no offset"),
        ("[features.'~x']\n", "do not begin with ~"),
        ("x = '" + "y" * 1_000_000 + "'", "may have"),
    ],
)
def test_a_mistake_says_the_way_out(text: str, hint: str) -> None:
    assert hint in message_of(text)


def test_a_date_stands_for_the_midnight_that_begins_it() -> None:
    config = parse("valid_from = 2027-01-04\n[tenant]\ntimezone = 'America/New_York'\n")
    assert config.valid_from is not None
    assert config.valid_from.isoformat() == "2027-01-04T05:00:00+00:00"


def test_amounts_are_kept_in_the_unit_of_their_kpi() -> None:
    text = "[[target]]\nkpi = 'mttr.mean'\nop = '<='\ntarget = '2h'\nlimit = '150m'\nbenchmark = ['1h', '3h']\n"
    (target,) = parse(text, known_kpis=SHAPES).targets
    assert (target.target, target.limit, target.benchmark) == (7_200.0, 9_000.0, (3_600.0, 10_800.0))


def test_a_share_is_a_number_up_to_one_or_a_percentage() -> None:
    text = "[features.a]\nadoption_target = '30%'\nadoption_limit = 0.2\n"
    feature = parse(text).features["a"]
    assert (feature.adoption_target, feature.adoption_limit) == (0.3, 0.2)


def test_names_go_unchecked_where_no_catalog_is_at_hand() -> None:
    assert parse("[scorecard.a]\nrows = ['anything.at_all{x=y}']\n").scorecards["a"].rows == ("anything.at_all{x=y}",)
    with pytest.raises(InvalidConfiguration, match="did you mean availability"):
        parse("[scorecard.a]\nrows = ['availabilty']\n", known_kpis={"availability"})


def test_a_list_of_mistakes_is_not_said_to_be_too_short() -> None:
    assert mistakes_of('[scorecard.a]\nrows = ["nope"]\n[scorecard.b]\nrows = []\n[feature_groups]\ng = ["a,b"]') == [
        ("scorecard.a.rows[0]", 2),
        ("scorecard.b.rows", 4),
        ("feature_groups.g[0]", 6),
    ]


def test_a_share_within_a_limit_is_a_target_and_a_row_and_elsewhere_a_formula() -> None:
    row = "request_latency.share_within"
    text = f'[scorecard.a]\nrows = ["{row}"]\n[[target]]\nkpi = "{row}"\nop = ">="\ntarget = "90%"'
    assert mistakes_of(text) == [("scorecard.a.rows[0]", 2), ("target[0]", 3)]
    assert "share_within is of a limit: name it, as {limit_ms=…}" in message_of(text)
    shapes = SHAPES | {"request_latency": replace(SHAPES["request_latency"], windows=("7d",))}
    config = parse(text.replace(row, f"{row}{{limit_ms=300}}"), known_kpis=shapes)
    assert (config.targets[0].target, config.targets[0].selector.where) == (0.9, {"limit_ms": ("300",)})
    apart = parse(f'[[target]]\nkpi = "{row}"\nwhere = {{ limit_ms = 300 }}\nop = ">="\ntarget = 0.9', known_kpis=shapes)
    assert apart.targets[0].selector == config.targets[0].selector
    twice = f'[[target]]\nkpi = "{row}{{limit_ms=300}}"\nwhere = {{ limit_ms = 500 }}\nop = ">="\ntarget = 0.9'
    assert mistakes_of(twice) == [("target[0].where.limit_ms", 3)]
    # What is told by a rule, or is a weight of a score, is of a KPI that is kept live.
    for other in ('[[alert]]\nkpi = "{}"\nop = "<"\nvalue = 0.9', '[health.reliability]\n"{}" = 1'):
        said = message_of(other.format(f"{row}{{limit_ms=300}}"))
        assert f'declare a [[formula]] with expression = "{row}{{limit_ms=300}}", and name that' in said
    formula = f'[[formula]]\nid = "soon"\nexpression = "{row}{{limit_ms=300}}"\nunit = "ratio"\n'
    assert parse(formula + text.replace(row, "soon"), known_kpis=shapes).targets[0].kpi == "soon"


@pytest.mark.parametrize(
    ("kpi", "said"),
    [
        ("request_latency.share_within{limit_ms=soon}", "limit_ms=soon is no number"),
        ("request_latency.share_within{limit_ms=300,500}", "limit_ms has 2 values: name one"),
        ("request_latency.p95{limit_ms=300}", "limit_ms goes with share_within alone"),
        ("request_latency.share_within{limit_value=300}", "cannot be split by limit_value"),
        ("feature_ratio{feature=export}", "feature_ratio is of of: name them, as {of=…}"),
        ("feature_ratio{feature=export,of=dashboard,count=clicks}", "count=clicks is none of uses, users"),
        ("retention{n=1.5}", "n=1.5 is no whole number from 0 to 1000"),
        ("retention{n=1001}", "n=1001 is no whole number from 0 to 1000"),
        ("average_dau{days=weekend}", "days=weekend is none of all, business"),
    ],
)
def test_a_choice_that_a_target_cannot_make_is_told(kpi: str, said: str) -> None:
    with pytest.raises(InvalidConfiguration) as error:
        parse(f'[[target]]\nkpi = "{kpi}"\nop = ">="\ntarget = 0.9', known_kpis=Catalog.load().shapes())
    assert said in str(error.value)
