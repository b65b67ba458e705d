"""What people read in an alert, and names of any kind in expressions and templates."""

from pathlib import Path
from typing import Any

from service.domain.config import parse
from service.rules import rule_files
from tests.rules.promtool import Case, Check, everywhere, groups_in, ran, rules_in, run_cases
from tests.rules.told import LINKS, catalog, made

ODD = r"""
[freshness.'urn:a"b\c {{ $value }}']
limit_s = 60
[[target]]
kpi = "delivery_on_time"
where = { integration = ["a.b|c", "d(e"] }
op = ">="
target = 0.95
limit = 0.9
"""


def rule(tenant: str, alert: str, **labels: str) -> dict[str, Any]:
    [found] = [
        each
        for each in rules_in(made().files[f"tidegauge-tenant-{tenant}.yml"])
        if each["alert"] == alert and labels.items() <= each["labels"].items()
    ]
    return found


def test_an_alert_says_its_value_and_what_it_should_be() -> None:
    burns = rule("acme", "ErrorBudgetBurnsFast", slo="benevity-on-time", burn_window="1h")
    assert burns["annotations"] == {
        "summary": "acme: the error budget of benevity-on-time burns fast",
        "description": "{{ $value | humanizePercentage }} of the last 1h was not good; the limit is 67.2%. "
        "Should it go on like this, 2% of the error budget go in 1h. Objective of benevity-on-time: 95% over 28d.",
        "runbook_url": "https://runbooks.example/ErrorBudgetBurnsFast.md",
        "dashboard_url": "https://grafana.example/d/tidegauge-delivery?var-tenant=acme",
    }
    broken = rule("acme", "KpiLimitBroken", selector="request_latency.p95")
    assert broken["annotations"]["summary"] == "acme: request_latency.p95 over 7d is > 650 ms"
    assert broken["annotations"]["description"] == (
        "Request latency, request_latency.p95, window 7d: {{ $value | humanizeDuration }}; "
        "target <= 500 ms, its limit is broken when > 650 ms."
    )


def test_names_of_any_kind_are_taken_as_they_are(tmp_path: Path) -> None:
    files = rule_files(catalog(), {"odd": parse(ODD, known_kpis=catalog().shapes())}, LINKS, shared=False)
    [group] = [each for each in groups_in(files.files["tidegauge-tenant-odd.yml"]) if each["name"].endswith("-kpi")]
    (tmp_path / "all.yml").write_text(files.files["tidegauge-tenant-odd.yml"])
    ran("check", "rules", str(tmp_path / "all.yml"))
    of = 'tenant="odd",window="1h",stat="age"'
    silent = everywhere("tidegauge_freshness_seconds", f'{of},source="urn:a\\"b\\\\c {{{{ $value }}}}"', "90x30")
    late = everywhere("tidegauge_delivery_on_time_ratio", 'tenant="odd",window="7d",integration="a.b|c"', "0.5x30")
    late |= everywhere("tidegauge_delivery_on_time_ratio", 'tenant="odd",window="7d",integration="d(e"', "0.5x30")
    # What the names would match if they were patterns.
    late |= everywhere("tidegauge_delivery_on_time_ratio", 'tenant="odd",window="7d",integration="axb"', "0.5x30")
    cases = [
        Case("SourceSilent", {"tenant": "odd"}, ("fires",), silent, [Check(4), Check(5, 1)]),
        Case("KpiLimitBroken", {"tenant": "odd"}, ("fires",), late, [Check(9), Check(10, 2)]),
    ]
    run_cases(tmp_path, {"odd.yml": files.files["tidegauge-tenant-odd.yml"]}, cases)
    [told] = [each for each in group["rules"] if each["alert"] == "SourceSilent"]
    assert '{{ "{{" }} $value' in told["labels"]["selector"]
