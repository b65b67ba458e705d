"""A tenant's programme: so many weeks from a day on, "week 3 of 8"."""

from datetime import date

from service.domain.config.segments import Programme
from service.domain.localtime import EPOCH

DAYS_A_WEEK = 7


def first_day_of(programme: Programme) -> int:
    """The local day, since 1970, on which it begins."""
    return _day(programme.start)


def day_after(programme: Programme) -> int:
    """The local day, since 1970, that follows its last one."""
    return _day(programme.start) + programme.weeks * DAYS_A_WEEK


def week_of(programme: Programme, day: int) -> int | None:
    """The week, from 1, that a local day lies in; None for one before or after it."""
    week = (day - _day(programme.start)) // DAYS_A_WEEK + 1
    return week if 1 <= week <= programme.weeks else None


def days_of_week(programme: Programme, week: int) -> tuple[int, int]:
    """The first local day of a week, from 1, and the day that follows its last one."""
    first = _day(programme.start) + (week - 1) * DAYS_A_WEEK
    return first, first + DAYS_A_WEEK


def _day(day: date) -> int:
    return (day - EPOCH).days
