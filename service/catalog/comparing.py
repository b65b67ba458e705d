"""Comparing two values of a KPI: which test tells a change of it from noise."""

from collections.abc import Mapping

from service.catalog.kpi import Kpi
from service.catalog.value import Value
from service.catalog.windows import Window, same_part, window_before
from service.domain.trend import Change, Measured, Test, change

_TIME = frozenset({"s", "ms"})
_OF_DISTRIBUTION: Mapping[str, Test] = {"mean": "welch", "count": "poisson", "share_within": "two_proportions"}


def part_before(kpi: Kpi, window: Window) -> Window:
    """The window that a trend compares with: the one before, of an open one the same part of it."""
    return same_part(window, window_before(window), whole_days=kpi.head.whole_days)


def changed(kpi: Kpi, statistic: str, now: tuple[Value | None, Window], before: tuple[Value | None, Window]) -> Change:
    """What became of a statistic between two values, each with the window that it is of."""
    declared = kpi.statistics[statistic]
    return change(
        _measured(*now),
        _measured(*before),
        test=test_of(kpi, statistic),
        is_ratio=declared.unit == "ratio",
        better=declared.better or "neither",
    )


def test_of(kpi: Kpi, statistic: str) -> Test:
    """The test for a statistic: what the head names, else by its kind.

    Counts of what happened are Poisson, shares of what was counted two proportions, means of a distribution, and means of
    scores whose squares the statement gives, Welch's. None tells changes of percentiles, of sums of money and time, of
    shares of time, and of what a formula gives.
    """
    head, declared = kpi.head, kpi.statistics[statistic]
    if head.test == "welch":
        if declared.kind == "mean" and not declared.per:
            return "welch"
    elif head.test:
        return head.test
    if head.kind in {"distribution", "durations"}:
        return _OF_DISTRIBUTION.get(statistic, "none")
    if kpi.formula is not None or "currency" in head.apart or declared.unit in _TIME:
        return "none"
    kind = kpi.statistics[declared.of].kind if declared.per else declared.kind
    if kind == "count":
        return "poisson"
    return "two_proportions" if kind == "ratio" and not declared.per else "none"


def _measured(value: Value | None, window: Window) -> Measured:
    if value is None:
        return Measured(None)
    exposure_us = window.until_us - window.start_us
    return Measured(value.value, value.numerator, value.denominator, value.variance, exposure_us)
