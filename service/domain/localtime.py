"""Local days of a zone, and the bounds of days, weeks, months, quarters, years."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, assert_never
from zoneinfo import ZoneInfo

from service.clock import SECOND, to_us

CalendarUnit = Literal["day", "week", "month", "quarter", "year"]
EPOCH = date(1970, 1, 1)


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
