"""Pages and tickets of error budgets, by real Prometheus rules: in time, silent within the budget, silent without traffic."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.rules import burns
from tests.rules.promtool import Case, everywhere, rules_in, run_cases
from tests.rules.told import group

EVENTS, GOOD, CREATED = "tidegauge_slo_events_total", "tidegauge_slo_good_events_total", "tidegauge_slo_events_created"
AGE = "tenant_slo:tidegauge_slo_age:seconds"


def ratio(window: str) -> str:
    """The recording of error ratios."""
    return f"tenant_slo:tidegauge_slo_errors:ratio_rate{window}"


def increase(window: str) -> str:
    """The recording of numbers of events."""
    return f"tenant_slo:tidegauge_slo_events:increase{window}"


@pytest.mark.parametrize("window", burns.SHORT)
def test_a_budget_that_burns_is_told_of_in_the_time_that_the_arithmetic_says(window: str, tmp_path: Path) -> None:
    def is_of_it(rule: Mapping[str, Any]) -> bool:
        if "record" in rule:
            of_windows = f"ratio_rate{window}", f"ratio_rate{burns.SHORT[window]}", f"increase{window}"
            return str(rule["record"]).endswith((*of_windows, "_total:max", "_age:seconds"))
        return bool(rule["labels"]["burn_window"] == window)

    rules = group("slo", is_of_it) | group("tenant-acme-slo", is_of_it) | group("tenant-plain-slo", is_of_it)
    run_cases(tmp_path, rules, list(burns.cases(window)), interval=f"{burns.EVERY[window]}m")


def test_error_ratios_are_recorded_once_for_all_instances_and_windows(tmp_path: Path) -> None:
    # Ten events a minute, of which one goes wrong; one instance was scraped before the last minutes only.
    labels = 'tenant="acme",slo="api"'
    known: set[str] = set()
    for every, of_windows in ((1, ("5m", "30m", "1h", "2h")), (30, ("6h", "1d", "3d"))):
        end = max(burns.MINUTES[window] for window in of_windows)
        steps = end // every
        series = everywhere(EVENTS, labels, f"0+{10 * every}x{steps}") | everywhere(GOOD, labels, f"0+{9 * every}x{steps}")
        series |= everywhere(CREATED, labels, f"-1x{steps}")
        series |= {f'{EVENTS}{{{labels},instance="late"}}': f"0+{10 * every}x{steps - 1}"}
        series |= {f'{GOOD}{{{labels},instance="late"}}': f"0+{9 * every}x{steps - 1}"}
        asked = [(end, f"round({ratio(window)}, 0.000001)", [("{slo='api', tenant='acme'}", 0.1)]) for window in of_windows] + [
            (end, f"round({increase(window)})", [("{slo='api', tenant='acme'}", 10.0 * burns.MINUTES[window])])
            for window in of_windows
            if window in burns.SHORT
        ]
        asked += [(end, AGE, [(f"{AGE}{{slo='api', tenant='acme'}}", 60.0 * end + 1)])]
        asked += [(end, f"count({each}:max)", [("{}", 1.0)]) for each in (f"tenant_slo:{EVENTS}", f"tenant_slo:{GOOD}")]
        case = Case("none", {}, (), series, (), interval=f"{every}m", others=asked)
        run_cases(tmp_path, group("slo"), [case], interval=f"{every}m")
        known |= {name for _, expr, _ in asked for name in re.findall(r"tenant_slo:[\w:]+", expr)}
    assert {rule["record"] for rule in rules_in(group("slo")["slo.yml"])} == known


def test_an_instance_that_has_just_begun_does_not_take_a_bad_minute_for_a_bad_hour(tmp_path: Path) -> None:
    # All goes wrong for two minutes, in which one instance is replaced: an hour has 2 of 60 minutes bad, whoever tells of it.
    labels, old, new = 'tenant="acme",slo="api"', 'instance="old"', 'instance="new"'
    total, good = [1_000 * minute for minute in range(71)], [1_000 * min(minute, 65) for minute in range(68)]
    good += [good[-1] + 1_000 * minute for minute in (1, 2, 3)]
    series = {
        f"{name}{{{labels},{instance}}}": " ".join(shown)
        for name, values in ((EVENTS, total), (GOOD, good))
        for instance, shown in (
            (old, [*map(str, values[:66]), "stale"]),
            (new, [*["_"] * 65, *map(str, values[65:])]),
        )
    }
    asked = [(minute, f"round({ratio('1h')}, 0.001)", [("{slo='api', tenant='acme'}", 0.033)]) for minute in (67, 70)]
    run_cases(tmp_path, group("slo"), [Case("none", {}, (), series, (), others=asked)])


def test_an_instance_that_goes_is_no_counter_that_begins_anew(tmp_path: Path) -> None:
    # One instance is read a moment later than the other, and shows five events more, until it goes.
    labels = 'tenant="acme",slo="api"'
    series = {
        f'{name}{{{labels},instance="{instance}"}}': values
        for name in (EVENTS, GOOD)
        for instance, values in (("early", "100000+10x57 100570+1x12"), ("late", "100005+10x57 stale"))
    }
    asked = [(minute, f"{increase('1h')} < bool 1000", [("{slo='api', tenant='acme'}", 1.0)]) for minute in (57, 58, 60, 65)]
    run_cases(tmp_path, group("slo"), [Case("none", {}, (), series, (), others=asked)])


def test_without_events_there_is_no_ratio_and_mistakes_never_count_below_nothing(tmp_path: Path) -> None:
    idle, odd = 'tenant="acme",slo="idle"', 'tenant="acme",slo="odd"'
    series = everywhere(EVENTS, idle, "7x60") | everywhere(GOOD, idle, "7x60")
    series |= everywhere(EVENTS, odd, "0+10x60") | everywhere(GOOD, odd, "0+11x60")
    asked = [
        (
            60,
            "tenant_slo:tidegauge_slo_errors:ratio_rate5m",
            [("tenant_slo:tidegauge_slo_errors:ratio_rate5m{slo='odd', tenant='acme'}", 0.0)],
        )
    ]
    run_cases(tmp_path, group("slo"), [Case("none", {}, (), series, (), others=asked)])
