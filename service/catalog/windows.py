"""Windows: which span of a tenant's time a question is about, and the bounds that it takes."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, cast, get_args
from zoneinfo import ZoneInfo

from service.clock import DAY, HOUR, MINUTE, QUARTER, to_datetime, to_us
from service.domain.localtime import EPOCH, CalendarUnit, day_of, earlier_day, first_day, next_first_day, start_of_day_us
from service.errors import InvalidQuery

Short = Literal["5m", "30m", "1h", "2h", "6h", "24h", "72h"]
Rolling = Literal["1d", "7d", "28d", "30d", "90d"]
SHORT: dict[Short, int] = {
    "5m": 5 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": HOUR,
    "2h": 2 * HOUR,
    "6h": 6 * HOUR,
    "24h": DAY,
    "72h": 3 * DAY,
}
ROLLING: dict[Rolling, int] = {"1d": 1, "7d": 7, "28d": 28, "30d": 30, "90d": 90}
CALENDAR: tuple[CalendarUnit, ...] = get_args(CalendarUnit)
OF_DAYS: tuple[str, ...] = (*ROLLING, *CALENDAR)
"""Windows that are whole local days."""
NAMES: tuple[str, ...] = (*SHORT, *OF_DAYS)
BUDGETS: tuple[str, ...] = ("28d", "30d", "month", "quarter")
"""Windows that SLOs have their error budgets over."""


@dataclass(frozen=True, slots=True)
class Window:
    """A span of one tenant's time: instants in microseconds since 1970, the end not included."""

    tenant: int
    key: Hashable
    """What the caller knows it by; comes back with its values."""
    start_us: int
    end_us: int
    until_us: int
    """How far it has come: `end_us`, or now while it is open. Rates divide by the time up to here."""
    zone: str
    name: str = ""
    """`5m`, `7d`, `week` …; "" for bounds of the asker's own."""
    whole_end_us: int = 0
    """The end of the window that this one is the beginning of; 0: it is whole."""

    @property
    def first_day(self) -> int:
        """The local day, since 1970, that it starts in."""
        return day_of(self.start_us, self.zone)

    @property
    def last_day(self) -> int:
        """The last local day that has begun by `until_us`."""
        return day_of(max(self.start_us, self.until_us - 1), self.zone)


def resolve_window(
    tenant: int,
    zone: str,
    *,
    now_us: int,
    name: str | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    whole_days: bool = False,
    key: Hashable = 0,
) -> Window:
    """The window of a name that ends at `end_us` (now by default), or of bounds of one's own.

    `5m` to `72h` end with the minute that `end_us` falls in, so that what has just happened shows. `1d` … `90d`
    are the local days that end with the day of the instant before the end, and a calendar window is the one
    that holds that instant. Bounds of one's own grow outwards to whole minutes, to quarters of an hour when
    longer than a day, to whole local days with `whole_days`.
    Raises InvalidQuery for a name that there is not, and for bounds that make no window.
    """
    if name is not None and start_us is not None:
        raise InvalidQuery("start", f"give either window={name} (with end, if not now) or start and end, not both")
    end = now_us if end_us is None else end_us
    if name is None and start_us is None:
        raise InvalidQuery("window", f"missing: give one of {' '.join(NAMES)}, or start and end")
    if name is not None:
        start, end = named_bounds_us(name, end, zone)
    else:
        start, end = _own_bounds_us(cast("int", start_us), end, zone, whole_days=whole_days)
    return Window(tenant, key, start, end, max(start, min(end, now_us)), zone, name or "")


def named_bounds_us(name: str, end_us: int, zone: str) -> tuple[int, int]:
    """Start and end of a named window, given the instant that it is asked for; raises InvalidQuery."""
    if name in SHORT:
        end = _up(end_us, MINUTE)
        return end - SHORT[name], end
    day = day_of(end_us - 1, zone)
    if name in ROLLING:
        first, after = day + 1 - ROLLING[name], day + 1
    elif name in CALENDAR:
        first, after = first_day(day, name), next_first_day(day, name)
    else:
        raise InvalidQuery("window", f"{name!r} is none: give one of {' '.join(NAMES)}, or start and end")
    return start_of_day_us(first, zone), start_of_day_us(after, zone)


def budget_windows(window: Window) -> list[Window]:
    """The windows that an error budget can be over, and the last 24 hours, as of an instant: up to where a window has come."""
    end_us = _up(window.until_us, MINUTE)
    found = []
    for name in (*BUDGETS, "24h"):
        start_us, whole_end_us = named_bounds_us(name, window.until_us, window.zone)
        found.append(Window(window.tenant, window.key, start_us, end_us, window.until_us, window.zone, name, whole_end_us))
    return found


def window_before(window: Window) -> Window:
    """The window that a trend compares with: the calendar one before, else the span of the same length before."""
    if window.name in OF_DAYS:
        start, end = named_bounds_us(window.name, window.start_us, window.zone)
    elif _is_day_start(window.start_us, window.zone) and _is_day_start(window.end_us, window.zone):
        days = day_of(window.end_us, window.zone) - window.first_day
        start, end = start_of_day_us(window.first_day - days, window.zone), window.start_us
    else:
        start, end = window.start_us - (window.end_us - window.start_us), window.start_us
    return Window(window.tenant, window.key, start, end, end, window.zone, window.name)


def window_earlier(window: Window, period: CalendarUnit, *, whole_days: bool = False) -> Window:
    """The same window a period earlier, as far as the window has come: of a month that is open, the same part of the other.

    A calendar window is the one that holds its first day a period earlier; the others end a period earlier, by the local
    calendar and clock, and are as long as they are.
    """
    zone = window.zone
    if window.name in CALENDAR:
        start, end = named_bounds_us(window.name, start_of_day_us(earlier_day(window.first_day, period), zone) + 1, zone)
    elif _is_day_start(window.start_us, zone) and _is_day_start(window.end_us, zone):
        after = day_of(window.end_us, zone)
        end_day = earlier_day(after, period)
        start, end = start_of_day_us(end_day - (after - window.first_day), zone), start_of_day_us(end_day, zone)
    else:
        end = _clock_us(earlier_day(day_of(window.end_us, zone), period), window.end_us, zone)
        start = end - (window.end_us - window.start_us)
    return same_part(window, Window(window.tenant, window.key, start, end, end, zone, window.name), whole_days=whole_days)


def same_part(window: Window, other: Window, *, whole_days: bool = False) -> Window:
    """As much of another window as has come of an open one, by local days and clock; whole, if the window is over.

    Ends grow as bounds of one's own do: to minutes, to quarters of an hour of what is longer than a day, to whole days.
    """
    if window.until_us >= window.end_us:
        return other
    zone = window.zone
    if _is_day_start(other.start_us, zone) and _is_day_start(window.start_us, zone):
        days = day_of(window.until_us, zone) - window.first_day
        until = _clock_us(other.first_day + days, window.until_us, zone)
    else:
        until = other.start_us + window.until_us - window.start_us
    if until <= other.start_us or until >= other.end_us:
        return other
    start, end = _own_bounds_us(other.start_us, until, zone, whole_days=whole_days)
    if end >= other.end_us:
        return other
    return replace(other, start_us=start, end_us=end, until_us=end, whole_end_us=other.end_us)


def _clock_us(day: int, like_us: int, zone: str) -> int:
    """The instant of a local day at which the clock shows what it shows at another instant."""
    shown = to_datetime(like_us).astimezone(ZoneInfo(zone)).timetz()
    return to_us(datetime.combine(EPOCH + timedelta(days=day), shown))


def _own_bounds_us(start_us: int, end_us: int, zone: str, *, whole_days: bool) -> tuple[int, int]:
    if end_us <= start_us:
        raise InvalidQuery("end", "lies at or before start: give an end after it")
    if whole_days:
        return start_of_day_us(day_of(start_us, zone), zone), start_of_day_us(day_of(end_us - 1, zone) + 1, zone)
    grain = QUARTER if end_us - start_us > DAY else MINUTE
    return _down(start_us, grain), _up(end_us, grain)


def _is_day_start(instant_us: int, zone: str) -> bool:
    return start_of_day_us(day_of(instant_us, zone), zone) == instant_us


def _down(instant_us: int, grain_us: int) -> int:
    return instant_us // grain_us * grain_us


def _up(instant_us: int, grain_us: int) -> int:
    return -(-instant_us // grain_us) * grain_us
