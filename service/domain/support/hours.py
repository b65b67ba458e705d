"""Support hours: Monday to Friday, from opening to closing by the wall clock of the support zone, less holidays."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

from service.clock import DAY, MINUTE, to_us
from service.domain.config import TenantConfig
from service.domain.localtime import EPOCH, day_of

_SATURDAY = 5
EARLIEST_US: Final = 7_305 * DAY
_MAX_DAYS_AHEAD = 40_000
"""How far a limit is looked for: beyond any that can be declared, holidays and all."""


@dataclass(frozen=True, slots=True)
class SupportCalendar:
    """When support works. Minutes are those of the wall clock, 1,440 being the midnight that ends the day."""

    zone: str = "UTC"
    opens_min: int = 9 * 60
    closes_min: int = 18 * 60
    holidays: frozenset[int] = frozenset()
    """Days since 1970."""

    @classmethod
    def of(cls, config: TenantConfig) -> Self:
        """What a tenant declares; its support zone is its own zone unless it names one."""
        opens, _, closes = config.tenant.support_hours.partition("-")
        holidays = frozenset((day - EPOCH).days for day in config.tenant.holidays)
        return cls(config.tenant.support_timezone or config.timezone, _minutes(opens), _minutes(closes), holidays)

    @property
    def day_us(self) -> int:
        """What one `bd` counts: the hours of a support day by the wall clock."""
        return (self.closes_min - self.opens_min) * MINUTE

    def interval(self, day: int) -> tuple[int, int] | None:
        """The instants at which support opens and closes on a local day since 1970; None: it does not open."""
        local = EPOCH + timedelta(days=day)
        if local.weekday() >= _SATURDAY or day in self.holidays:
            return None
        opens, closes = (_instant(local, minutes, self.zone) for minutes in (self.opens_min, self.closes_min))
        return (opens, closes) if opens < closes else None


@dataclass(slots=True)
class SupportHours:
    """Working time since an instant: how much of it has passed, and when so much of it will have. Made as far as it is asked."""

    calendar: SupportCalendar
    from_us: int
    """Nothing that was worked before this instant is known."""
    _opens: list[int] = field(default_factory=list)
    _closes: list[int] = field(default_factory=list)
    _before: list[int] = field(default_factory=list)
    _next_day: int = field(init=False)

    def __post_init__(self) -> None:
        """Begin a day early: a support day may begin on the local day before."""
        self._next_day = day_of(self.from_us, self.calendar.zone) - 1

    def worked_us(self, instant_us: int) -> int:
        """Microseconds of support up to an instant, from some moment on that is the same for all."""
        self._reach(instant_us)
        place = bisect_right(self._opens, instant_us) - 1
        if place < 0:
            return 0
        return self._before[place] + min(instant_us, self._closes[place]) - self._opens[place]

    def elapsed_us(self, start_us: int, end_us: int) -> int:
        """Microseconds of support between two instants."""
        return self.worked_us(end_us) - self.worked_us(start_us)

    def reached_us(self, worked_us: int) -> int:
        """The first instant at which so much has been worked: rather the evening than the next morning.

        Raises OverflowError where no such day comes, which takes holidays without end.
        """
        for _ in range(_MAX_DAYS_AHEAD):
            if self._before and self._before[-1] + self._closes[-1] - self._opens[-1] >= worked_us:
                break
            self._append_day()
        else:
            raise OverflowError(f"no {worked_us} µs of support within {_MAX_DAYS_AHEAD} days")
        place = max(0, bisect_left(self._before, worked_us) - 1)
        return self._opens[place] + worked_us - self._before[place]

    def is_open(self, instant_us: int) -> bool:
        """Whether support works at an instant."""
        self._reach(instant_us)
        place = bisect_right(self._opens, instant_us) - 1
        return place >= 0 and instant_us < self._closes[place]

    def _reach(self, instant_us: int) -> None:
        last = day_of(instant_us, self.calendar.zone) + 1
        while self._next_day <= last:
            self._append_day()

    def _append_day(self) -> None:
        found = self.calendar.interval(self._next_day)
        self._next_day += 1
        if found is not None:
            worked = self._before[-1] + self._closes[-1] - self._opens[-1] if self._before else 0
            self._opens.append(found[0])
            self._closes.append(found[1])
            self._before.append(worked)


def hours_over(calendar: SupportCalendar, instants_us: Iterable[int]) -> SupportHours:
    """Support hours from the earliest of these instants on, but from no earlier than 1990: what is older counts from then."""
    return SupportHours(calendar, max(EARLIEST_US, min(instants_us, default=DAY) - DAY))


def _minutes(written: str) -> int:
    hours, _, minutes = written.partition(":")
    return int(hours) * 60 + int(minutes)


def _instant(day: date, minutes: int, zone: str) -> int:
    """The instant of a wall clock time; one that the clocks skip or show twice counts by the offset after the change back.

    That is how PostgreSQL reads it (`timestamp AT TIME ZONE zone`), where KPIs are computed.
    """
    naive = datetime.combine(day, time(0)) + timedelta(minutes=minutes)
    return max(to_us(naive.replace(tzinfo=ZoneInfo(zone), fold=fold)) for fold in (0, 1))
