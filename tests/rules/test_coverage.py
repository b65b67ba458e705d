"""No rule without its cases, its runbook, its dashboard and series that the service really shows."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from service.expose.live import metric_name
from service.telemetry import Telemetry
from tests.rules import burns, everybody, figures
from tests.rules.promtool import Case, check_rules, rules_in
from tests.rules.told import SHOWN_BY_MONITORING, catalog, made
from tests.rules.watches import WATCHES

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"
COMMITTED = ROOT / "deploy" / "prometheus" / "rules"
NAMES = re.compile(r"\b(?:tenant_slo:|instance:)?tidegauge_[a-z0-9_:]+|\bup\b(?=\{)|\b(?:prometheus|alertmanager)_[a-z_]+")
SLO_COUNTERS = {"tidegauge_slo_events_total", "tidegauge_slo_good_events_total", "tidegauge_slo_events_created"}


def alerts() -> list[dict[str, Any]]:
    return [rule for text in made().files.values() for rule in rules_in(text) if "alert" in rule]


def cases() -> list[Case]:
    found: list[Case] = [case for watch in WATCHES for case in watch.cases()]
    found += [case for window in burns.SHORT for case in burns.cases(window)]
    return [*found, *figures.cases(), *figures.weekly_cases(), *everybody.cases(), *everybody.slow_cases()]


def is_of(case: Case, rule: dict[str, Any]) -> bool:
    """Whether a case is about a rule: labels that the rule takes from its series are not in the rule."""
    return case.alert == rule["alert"] and all(rule["labels"].get(name, value) == value for name, value in case.rule.items())


def test_every_rule_fires_in_a_case_is_silent_in_another_and_in_one_with_its_data_missing() -> None:
    told = cases()
    for rule in alerts():
        kinds = {why for case in told if is_of(case, rule) for why in case.why}
        assert kinds == {"fires", "silent", "missing"}, f"{rule['alert']} {rule['labels']}: {kinds}"


def test_no_case_is_of_two_rules_or_of_none() -> None:
    rules = alerts()
    for case in cases():
        found = [rule["labels"] for rule in rules if is_of(case, rule)]
        assert len(found) == 1, f"{case.alert} {case.rule}: {found}"


def test_promtool_finds_nothing_in_the_rules(tmp_path: Path) -> None:
    for name, text in made().files.items():
        (tmp_path / name).write_text(text)
    check_rules(sorted(tmp_path.iterdir()))


def test_every_alert_says_what_it_is_how_bad_and_where_to_go_on() -> None:
    for rule in alerts():
        labels, notes = rule["labels"], rule["annotations"]
        assert labels["severity"] in {"critical", "warning", "information"}
        assert labels["scope"] in {"slo", "kpi", "service"}
        assert (labels["scope"] == "service") == ("kpi" not in labels)
        assert set(notes) == {"summary", "description", "runbook_url", "dashboard_url"}
        # The value, and what it should be: a number, or that there should be none.
        assert "$value" in notes["description"] or "absent(" in rule["expr"], rule["alert"]
        assert re.search(r"\d|none|never|should", notes["description"]), rule["alert"]
        assert notes["runbook_url"] == f"https://runbooks.example/{rule['alert']}.md"
        if "tenant" in labels:
            assert notes["dashboard_url"].endswith(f"?var-tenant={labels['tenant']}")
        if "expr" in rule and "for" not in rule:
            assert "keep_firing_for" in rule, f"{rule['alert']} swings"


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    named = {rule["alert"] for rule in alerts()}
    pages = {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == named
    index = (RUNBOOKS / "README.md").read_text()
    for alert in named:
        text = (RUNBOOKS / f"{alert}.md").read_text()
        assert [line for line in text.splitlines() if line.startswith("#")] == [
            f"# {alert}",
            "## Meaning",
            "## What to look at",
            "## What to do",
        ]
        assert f"[{alert}]({alert}.md)" in index


def test_what_runbooks_link_to_is_there() -> None:
    for page in RUNBOOKS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert (RUNBOOKS / target).exists(), f"{page.name}: {target}"


def shown_by_the_service() -> set[str]:
    """Every metric of /metrics and /metrics/kpis by its name."""
    found = {metric_name(kpi, name)[0] for kpi in catalog().kpis.values() for name in kpi.statistics}
    for family in Telemetry("test").registry.collect():
        suffixes = {
            "counter": ("_total", "_created"),
            "histogram": ("_bucket", "_count", "_sum", "_created"),
            "info": ("_info",),
        }.get(family.type, ("",))
        found |= {family.name + suffix for suffix in suffixes}
    return found | SLO_COUNTERS | {"up", "tidegauge_kpi_series_hidden"}


def test_rules_read_only_what_the_service_shows_or_what_they_record() -> None:
    rules = [rule for text in made().files.values() for rule in rules_in(text)]
    known = shown_by_the_service() | SHOWN_BY_MONITORING | {rule["record"] for rule in rules if "record" in rule}
    for rule in rules:
        read = set(NAMES.findall(rule["expr"]))
        assert read, rule
        assert read <= known, f"{rule.get('alert', rule.get('record'))}: {read - known}"


def test_dashboards_that_alerts_lead_to_are_there() -> None:
    uids = {json.loads(file.read_text())["uid"] for file in DASHBOARDS.glob("*.json")}
    linked = {found[1] for rule in alerts() if (found := re.search(r"/d/([a-z-]+)", rule["annotations"]["dashboard_url"]))}
    assert linked <= uids


@pytest.mark.parametrize("name", ["everybody", "itself", "slo"])
def test_the_committed_rules_are_what_the_command_writes(name: str) -> None:
    committed = (COMMITTED / f"tidegauge-{name}.yml").read_text()
    assert rules_of_today(committed) == rules_of_today(made().files[f"tidegauge-{name}.yml"]), "run `make rules`"


def rules_of_today(text: str) -> Iterable[Any]:
    """Rules without their links, which an installation chooses."""
    return [{key: value for key, value in rule.items() if key != "annotations"} for rule in rules_in(text)]


def test_what_no_series_shows_is_told_with_what_there_is_instead() -> None:
    assert made().untold == (
        "acme: [[target]] delivery_on_time{account=Smith}: no alert, for delivery_on_time is not kept live by account: it is by "
        "the whole, integration",
    )
