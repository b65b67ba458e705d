"""Who is told of what: the deployed configuration of Alertmanager, by its own tool."""

import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import yaml

from tests.rules.promtool import rules_in
from tests.rules.told import made

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "alertmanager" / "alertmanager.yml"


def amtool(*words: str) -> str:
    done = subprocess.run(["amtool", *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_configuration_is_one_that_alertmanager_takes() -> None:
    assert "SUCCESS" in amtool("check-config", str(CONFIGURATION))


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("tenant=acme severity=critical scope=slo slo=api", "page"),
        ("tenant=acme severity=critical scope=kpi kpi=availability", "page"),
        ("tenant=acme severity=warning scope=slo slo=api", "ticket"),
        ("tenant=acme severity=warning scope=kpi kpi=mrr", "ticket"),
        ("tenant=acme severity=information scope=kpi kpi=new_users", "daily"),
        ("tenant=demo severity=critical scope=slo slo=api", "demonstration"),
        ("scope=service severity=critical alertname=EvaluatorAbsent hides=kpis", "operators-page"),
        ("scope=service severity=warning alertname=TargetDown", "operators"),
        ("scope=service severity=information alertname=NamesOverLimit", "daily"),
        # The service is of those who run it, also where one of its alerts names a tenant.
        ("scope=service severity=critical tenant=acme", "operators-page"),
        ("severity=unheard-of", "daily"),
    ],
)
def test_an_alert_goes_to_those_who_should_be_told(labels: str, receiver: str) -> None:
    routed = amtool(
        "config", "routes", "test", f"--config.file={CONFIGURATION}", f"--verify.receivers={receiver}", *labels.split()
    )
    assert routed.split() == [receiver]


Labels = Mapping[str, str]
LATE = {"alertname": "AggregateLag", "scope": "service", "severity": "warning", "hides": "kpis"}
GONE = {"alertname": "EvaluatorAbsent", "scope": "service", "severity": "critical", "hides": "kpis"}
BREACH = {"alertname": "SecurityIncidentOpen", "scope": "kpi", "severity": "critical", "tenant": "acme", "kpi": "open_incidents"}
PAGE = {"alertname": "ErrorBudgetBurnsFast", "scope": "slo", "severity": "critical", "tenant": "acme", "slo": "api"}
TICKET = PAGE | {"alertname": "ErrorBudgetBurnsSlowly", "severity": "warning"}
FIGURE = {"alertname": "KpiAlert", "scope": "kpi", "severity": "critical", "tenant": "acme", "kpi": "availability"}
MATCHER = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')


def matches(matchers: Iterable[str], labels: Labels) -> bool:
    """Whether all of these match, as Alertmanager has it: a label that is not there is empty."""
    for matcher in matchers:
        found = MATCHER.fullmatch(matcher)
        assert found is not None, matcher
        name, op, value = found.groups()
        has = labels.get(name, "")
        if not {"=": has == value, "!=": has != value, "=~": re.fullmatch(value, has) is not None}[op]:
            return False
    return True


def hides(source: Labels, target: Labels) -> bool:
    """Whether one alert hides the other by the deployed rules."""
    return any(
        matches(rule["source_matchers"], source)
        and matches(rule["target_matchers"], target)
        and all(source.get(label, "") == target.get(label, "") for label in rule.get("equal", ()))
        for rule in yaml.safe_load(CONFIGURATION.read_text())["inhibit_rules"]
    )


def test_a_page_hides_the_ticket_of_its_own_budget_alone() -> None:
    assert hides(PAGE, TICKET)
    assert not hides(PAGE, TICKET | {"slo": "web"})
    assert not hides(PAGE, TICKET | {"tenant": "umbrella"})
    assert not hides(TICKET, PAGE)


def test_a_figure_is_told_of_once_at_its_worst_level() -> None:
    selected = FIGURE | {"selector": "availability"}
    assert hides(selected, selected | {"severity": "warning"})
    assert hides(selected | {"severity": "warning"}, selected | {"severity": "information"})
    assert not hides(selected, selected | {"severity": "warning", "selector": "availability{component=web}"})


def test_a_source_beyond_its_limit_is_told_of_once() -> None:
    silent = {"alertname": "SourceSilent", "scope": "kpi", "severity": "warning", "tenant": "acme", "source": "crm"}
    steady = silent | {"alertname": "SteadySourceSilent"}
    assert hides(silent, steady)
    assert not hides(silent, steady | {"source": "billing"})
    assert not hides(silent, steady | {"tenant": "umbrella"})
    assert not hides(steady, silent)


def test_the_service_hides_figures_that_it_makes_doubtful_but_a_warning_hides_no_page() -> None:
    late_figure = FIGURE | {"severity": "warning"}
    assert hides(GONE, FIGURE)
    assert hides(GONE, late_figure)
    assert hides(LATE, late_figure)
    assert not hides(LATE, FIGURE)


def test_nothing_hides_the_page_of_a_budget_or_an_open_security_incident() -> None:
    told = [rule for text in made().files.values() for rule in rules_in(text) if "alert" in rule]
    for labels in [{"alertname": rule["alert"], **rule["labels"]} for rule in told]:
        assert not hides(labels, PAGE), labels
        assert not hides({"tenant": "acme", **labels}, BREACH), labels
