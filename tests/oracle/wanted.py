"""What figures are wanted: exact numbers, ratios with both their parts, percentiles within 1 %."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from service.catalog import Value, Window
from service.clock import MINUTE, SECOND

Dims = tuple[str, ...]
Filters = Mapping[str, Sequence[str]]
Wanted = dict[tuple[Dims, str], Any]
"""By the values of the split's dimensions and the statistic: a number, None, a Ratio or a Near."""
WITHIN = Fraction(500)
"""The limit of `share_within`, in each KPI's unit."""
PERCENTILES = {
    "p50": Fraction(1, 2),
    "p75": Fraction(3, 4),
    "p90": Fraction(9, 10),
    "p95": Fraction(19, 20),
    "p99": Fraction(99, 100),
}


@dataclass(frozen=True, slots=True)
class Ratio:
    """A numerator over a denominator; no value over 0."""

    over: int | Fraction
    under: int | Fraction | None

    def agrees(self, found: Value) -> bool:
        if not self.under:
            return found.value is None
        return (found.value, found.numerator, found.denominator) == (
            float(Fraction(self.over) / self.under),
            self.over,
            self.under,
        )


@dataclass(frozen=True, slots=True)
class Near:
    """A number that may be off by 1 %, between two."""

    low: Fraction
    high: Fraction

    def agrees(self, found: Value) -> bool:
        return found.value is not None and self.low <= Fraction(found.value) <= self.high


def agrees(wanted: Any, found: Value) -> bool:
    """Whether a figure is what is wanted: to the last bit, but for what may be off by 1 %."""
    if isinstance(wanted, (Ratio, Near)):
        return wanted.agrees(found)
    return found.value == (None if wanted is None else float(wanted))


def distribution(values: Iterable[tuple[int, int]], unit: int, within: Fraction) -> dict[str, Any]:
    """Statistics of (value, how often), where `unit` of the values make one of the figure's."""
    ordered = sorted(values)
    n = sum(count for _, count in ordered)
    if not n:
        return {"count": 0} | dict.fromkeys(("mean", "min", "max", "share_within", *PERCENTILES))
    near = {name: nearest_rank(ordered, ceil(q * n)) for name, q in PERCENTILES.items()}
    certain = sum(count for value, count in ordered if value <= within * unit - abs(within * unit) / 100)
    possible = sum(count for value, count in ordered if value <= within * unit + abs(within * unit) / 100)
    return {
        "count": n,
        "mean": Fraction(sum(value * count for value, count in ordered), n * unit),
        "min": Fraction(ordered[0][0], unit),
        "max": Fraction(ordered[-1][0], unit),
        "share_within": Near(Fraction(certain, n) - Fraction(1, 10**15), Fraction(possible, n) + Fraction(1, 10**15)),
        **{
            name: Near(*sorted((Fraction(value, unit) * 99 / 100, Fraction(value, unit) * 101 / 100)))
            for name, value in near.items()
        },
    }


def nearest_rank(ordered: Sequence[tuple[int, int]], rank: int) -> int:
    """The value of that rank among (value, how often)."""
    passed = 0
    for value, count in ordered:
        passed += count
        if passed >= rank:
            return value
    raise AssertionError(rank)


def durations(values: Sequence[int], within: Fraction) -> dict[str, Any]:
    """Statistics of microseconds kept one by one, in seconds: percentiles interpolate between two neighbours."""
    ordered, n = sorted(values), len(values)
    if not n:
        return {"count": 0} | dict.fromkeys(("mean", "min", "max", "share_within", *PERCENTILES))
    found: dict[str, Any] = {}
    for name, q in PERCENTILES.items():
        place = q * (n - 1)
        low, high = ordered[int(place)], ordered[min(int(place) + 1, n - 1)]
        found[name] = (low + (place - int(place)) * (high - low)) / SECOND
    return found | {
        "count": n,
        "mean": Fraction(sum(ordered), n * SECOND),
        "min": Fraction(ordered[0], SECOND),
        "max": Fraction(ordered[-1], SECOND),
        "share_within": Ratio(sum(value <= within * SECOND for value in ordered), n),
    }


def elapsed_minutes(window: Window) -> Fraction:
    """How long the window has gone on."""
    return Fraction(window.until_us - window.start_us, MINUTE)


def elapsed_days(window: Window, until_us: int | None = None) -> Fraction:
    """How many days of the local calendar have passed: a day of 23 hours is one."""
    start, end = (wall(at, window.zone) for at in (window.start_us, window.until_us if until_us is None else until_us))
    return Fraction(int((end - start).total_seconds()), 86_400)


def wall(instant_us: int, zone: str) -> datetime:
    """What the clock on the wall shows."""
    return datetime.fromtimestamp(instant_us // SECOND, ZoneInfo(zone)).replace(tzinfo=None)


def days(window: Window) -> tuple[date, date]:
    """The first and the last local day of the window that has begun."""
    return wall(window.start_us, window.zone).date(), wall(window.until_us - 1, window.zone).date()
