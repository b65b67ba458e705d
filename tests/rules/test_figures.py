"""Alerts on tenants' figures: told of in time, kept while they swing, silent when well, of nobody else, and when missing."""

from pathlib import Path

from tests.rules import figures
from tests.rules.promtool import Case, Check, everywhere, run_cases
from tests.rules.told import group


def test_a_figure_beyond_its_limit_is_told_of_in_time_and_one_that_is_well_is_not(tmp_path: Path) -> None:
    run_cases(tmp_path, group("tenant-acme-kpi") | group("tenant-plain-kpi"), list(figures.cases()))


def test_a_figure_that_got_worse_three_weeks_in_a_row_is_told_of(tmp_path: Path) -> None:
    run_cases(tmp_path, group("tenant-acme-kpi"), list(figures.weekly_cases()), interval="6h")


def test_a_range_has_two_ends_several_values_of_a_count_are_added_up_and_each_of_a_mean_is_judged(tmp_path: Path) -> None:
    of = 'tenant="acme",window="7d"'
    above = everywhere("tidegauge_average_dau", of, "12x5 12.1x30")
    added = everywhere("tidegauge_incidents", f'{of},severity="P0"', "1x30") | everywhere(
        "tidegauge_incidents", f'{of},severity="P1"', "2x30"
    )
    both = everywhere("tidegauge_mttr_seconds", f'{of},stat="mean",severity="P0"', "9000x30") | everywhere(
        "tidegauge_mttr_seconds", f'{of},stat="mean",severity="P1"', "9000x30"
    )
    others = everywhere("tidegauge_mttr_seconds", f'{of},stat="mean",severity="P2"', "9000x30")
    broken = "KpiLimitBroken"
    cases = [
        Case(broken, {"selector": "average_dau"}, ("fires",), above, [Check(15), Check(16, 1)]),
        Case(broken, {"selector": "incidents{severity=P0,P1}"}, ("fires",), added, [Check(9), Check(10, 1)]),
        Case(broken, {"selector": "mttr.mean{severity=P0,P1}"}, ("fires",), both | others, [Check(9), Check(10, 2)]),
    ]
    run_cases(tmp_path, group("tenant-acme-kpi"), cases)
