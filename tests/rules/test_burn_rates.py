"""Pages and tickets of error budgets, by real Prometheus rules: in time, silent within the budget, silent without traffic."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.rules import burns
from tests.rules.promtool import Case, everywhere, rules_in, run_cases
from tests.rules.told import group


@pytest.mark.parametrize("window", burns.SHORT)
def test_a_budget_that_burns_is_told_of_in_the_time_that_the_arithmetic_says(window: str, tmp_path: Path) -> None:
    def is_of_it(rule: Mapping[str, Any]) -> bool:
        if "record" in rule:
            return str(rule["record"]).endswith((f"ratio_rate{window}", f"ratio_rate{burns.SHORT[window]}", f"increase{window}"))
        return bool(rule["labels"]["burn_window"] == window)

    rules = group("slo", is_of_it) | group("tenant-acme-slo", is_of_it) | group("tenant-plain-slo", is_of_it)
    run_cases(tmp_path, rules, list(burns.cases(window)), interval=f"{burns.EVERY[window]}m")


def test_error_ratios_are_recorded_once_for_all_instances_and_windows(tmp_path: Path) -> None:
    # Ten events a minute, of which one goes wrong; one instance was scraped before the last minute only.
    total, good = "tidegauge_slo_events_total", "tidegauge_slo_good_events_total"
    labels = 'tenant="acme",slo="api"'
    series = everywhere(total, labels, "0+10x4320") | everywhere(good, labels, "0+9x4320")
    series |= {f'{total}{{{labels},instance="late"}}': "0+10x4319", f'{good}{{{labels},instance="late"}}': "0+9x4319"}
    asked = [
        (4320, f"tenant_slo:tidegauge_slo_errors:ratio_rate{window} * 0 + 1", [("{slo='api', tenant='acme'}", 1.0)])
        for window in burns.MINUTES
    ]
    asked += [
        (4320, f"round(tenant_slo:tidegauge_slo_errors:ratio_rate{window}, 0.000001)", [("{slo='api', tenant='acme'}", 0.1)])
        for window in burns.MINUTES
    ]
    asked += [
        (4320, f"round(tenant_slo:tidegauge_slo_events:increase{window})", [("{slo='api', tenant='acme'}", 10.0 * minutes)])
        for window, minutes in burns.MINUTES.items()
        if window in burns.SHORT
    ]
    run_cases(tmp_path, group("slo"), [Case("none", {}, (), series, (), others=asked)], interval="30m")
    recorded = {rule["record"] for rule in rules_in(group("slo")["slo.yml"])}
    assert recorded == {expr.removeprefix("round(").rstrip(")").split(",")[0].split(" *")[0] for _, expr, _ in asked}


def test_without_events_there_is_no_ratio_and_mistakes_never_count_below_nothing(tmp_path: Path) -> None:
    total, good = "tidegauge_slo_events_total", "tidegauge_slo_good_events_total"
    idle, odd = 'tenant="acme",slo="idle"', 'tenant="acme",slo="odd"'
    series = everywhere(total, idle, "7x60") | everywhere(good, idle, "7x60")
    series |= everywhere(total, odd, "0+10x60") | everywhere(good, odd, "0+11x60")
    asked = [
        (
            60,
            "tenant_slo:tidegauge_slo_errors:ratio_rate5m",
            [("tenant_slo:tidegauge_slo_errors:ratio_rate5m{slo='odd', tenant='acme'}", 0.0)],
        )
    ]
    run_cases(tmp_path, group("slo"), [Case("none", {}, (), series, (), others=asked)])
