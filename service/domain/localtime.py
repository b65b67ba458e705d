"""Local days of a zone: of many instants at once, and the bounds of days, weeks, months, quarters, years."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, assert_never
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from service.clock import QUARTER, SECOND, to_us

CalendarUnit = Literal["day", "week", "month", "quarter", "year"]
EPOCH = date(1970, 1, 1)
_WHOLE_QUARTERS_SINCE_US = 64_800_000 * SECOND
"""1972-01-21: from then on no zone is off UTC by anything but whole quarters of an hour (Monrovia was the last)."""


def local_days(instants_us: pl.Series, zones: Sequence[str], of_row: npt.NDArray[np.int64]) -> pl.Series:
    """Local days (Int32, since 1970) of instants (Int64, microseconds); a row's IANA zone is `zones[of_row]`."""
    distinct = {zone: code for code, zone in enumerate(dict.fromkeys(zones))}
    if len(distinct) <= 1:
        return _days_in(instants_us, next(iter(distinct), "UTC"))
    codes = np.array([distinct[zone] for zone in zones], dtype=np.int64)[of_row]
    order = np.argsort(codes)
    ends = np.searchsorted(codes[order], np.arange(len(distinct) + 1))
    days = np.empty(len(instants_us), dtype=np.int32)
    for zone, start, end in zip(distinct, ends[:-1], ends[1:], strict=True):
        rows = order[start:end]
        days[rows] = _days_in(instants_us.gather(rows), zone).to_numpy()
    return pl.Series(days)


def _days_in(instants_us: pl.Series, zone: str) -> pl.Series:
    least, greatest = instants_us.min(), instants_us.max()
    if not isinstance(least, int) or not isinstance(greatest, int):
        return pl.Series(dtype=pl.Int32)
    first, last = least // QUARTER, greatest // QUARTER
    if least < _WHOLE_QUARTERS_SINCE_US or last - first >= len(instants_us):
        return _convert(instants_us, zone)
    by_quarter = _convert(pl.Series(np.arange(first, last + 1, dtype=np.int64) * QUARTER), zone)
    return by_quarter.gather(instants_us.to_numpy() // QUARTER - first)


def _convert(instants_us: pl.Series, zone: str) -> pl.Series:
    return instants_us.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone).dt.date().cast(pl.Int32)


def day_of(instant_us: int, zone: str) -> int:
    """The local day, since 1970, that an instant lies in."""
    local = datetime.fromtimestamp(instant_us // SECOND, UTC).astimezone(ZoneInfo(zone))
    return (local.date() - EPOCH).days


def start_of_day_us(day: int, zone: str) -> int:
    """The first instant of a local day: midnight, or what follows it where the clocks jump over midnight.

    Where midnight comes twice, the first of the two begins the day.
    """
    naive = datetime.combine(EPOCH + timedelta(days=day), time(0))
    midnight = naive.replace(tzinfo=ZoneInfo(zone), fold=0)
    start = to_us(midnight)
    if day_of(start, zone) == day:
        return start
    return _first_instant(day, zone, start)


def _first_instant(day: int, zone: str, near_us: int) -> int:
    """Search the second at which the local day begins, where midnight itself does not exist."""
    low, high = near_us // SECOND - 86_400, near_us // SECOND + 2 * 86_400
    while high - low > 1:
        middle = (low + high) // 2
        if day_of(middle * SECOND, zone) >= day:
            high = middle
        else:
            low = middle
    return high * SECOND


def first_day(day: int, unit: CalendarUnit) -> int:
    """The first day of the week (from Monday), month, quarter or year that a day lies in."""
    of = EPOCH + timedelta(days=day)
    match unit:
        case "day":
            first = of
        case "week":
            first = of - timedelta(days=of.weekday())
        case "month":
            first = of.replace(day=1)
        case "quarter":
            first = of.replace(month=3 * ((of.month - 1) // 3) + 1, day=1)
        case "year":
            first = of.replace(month=1, day=1)
        case _:
            assert_never(unit)
    return (first - EPOCH).days


def next_first_day(day: int, unit: CalendarUnit) -> int:
    """The first day of the day, week, month, quarter or year after the one that a day lies in."""
    longest = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}[unit]
    return first_day(first_day(day, unit) + longest, unit)


def earlier_day(day: int, unit: CalendarUnit) -> int:
    """The same day a day, week, month, quarter or year before; of a month without such a day the last one."""
    of = EPOCH + timedelta(days=day)
    if unit in {"day", "week"}:
        return day - (1 if unit == "day" else 7)
    months = of.year * 12 + of.month - 1 - {"month": 1, "quarter": 3, "year": 12}[unit]
    first = date(months // 12, months % 12 + 1, 1)
    last = next_first_day((first - EPOCH).days, "month") - 1
    return min((first - EPOCH).days + of.day - 1, last)


def bounds_us(instant_us: int, zone: str, unit: CalendarUnit) -> tuple[int, int]:
    """Start and end (not included) of the local day, week, month, quarter or year that holds an instant."""
    day = day_of(instant_us, zone)
    return start_of_day_us(first_day(day, unit), zone), start_of_day_us(next_first_day(day, unit), zone)
