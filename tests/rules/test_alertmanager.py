"""Who is told of what: the deployed configuration of Alertmanager, by its own tool."""

import subprocess
from pathlib import Path

import pytest
import yaml

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


def test_a_page_hides_its_ticket_and_the_service_hides_figures_that_it_makes_doubtful() -> None:
    rules = yaml.safe_load(CONFIGURATION.read_text())["inhibit_rules"]
    shown = {(tuple(rule["source_matchers"]), tuple(rule["target_matchers"])): tuple(rule.get("equal", ())) for rule in rules}
    page, ticket = ('scope="slo"', 'severity="critical"'), ('scope="slo"', 'severity="warning"')
    assert shown[page, ticket] == ("tenant", "slo")
    assert shown[('scope="service"', 'hides="kpis"'), ('scope="kpi"',)] == ()
    # Nothing hides the page of an SLO.
    assert not any(target in {('scope="slo"',), page} for _, target in shown)
