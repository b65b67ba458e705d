"""Support hours: worked time and its inverse, by the wall clock of the support zone, across changes of the clocks."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clock import HOUR, MINUTE, to_us
from service.domain.config import TenantConfig
from service.domain.localtime import EPOCH
from service.domain.support.hours import SupportCalendar, SupportHours, hours_over
from service.domain.support.limits import Limit
from service.errors import InvalidText

NEW_YORK = SupportCalendar("America/New_York")
ZONES = ("UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Asia/Beirut", "Africa/Cairo", "America/Havana")


def at(text: str, zone: str = "America/New_York") -> int:
    return to_us(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


def days(*written: str) -> frozenset[int]:
    return frozenset((date.fromisoformat(text) - EPOCH).days for text in written)


def hours(calendar: SupportCalendar = NEW_YORK, since: str = "2025-01-01T00:00") -> SupportHours:
    return hours_over(calendar, [at(since)])


def test_hours_count_from_opening_to_closing_on_business_days_alone() -> None:
    made = hours()
    assert made.elapsed_us(at("2025-11-21T17:00"), at("2025-11-24T12:00")) == 4 * HOUR
    assert made.elapsed_us(at("2025-11-21T17:59"), at("2025-11-24T09:00")) == MINUTE
    assert made.elapsed_us(at("2025-11-22T10:00"), at("2025-11-23T23:00")) == 0
    assert [made.is_open(at(text)) for text in ("2025-11-21T08:59", "2025-11-21T09:00", "2025-11-21T18:00")] == [
        False,
        True,
        False,
    ]


def test_a_holiday_is_no_business_day() -> None:
    made = hours(SupportCalendar("America/New_York", holidays=days("2025-11-27")))
    assert made.elapsed_us(at("2025-11-26T17:00"), at("2025-11-28T10:00")) == 2 * HOUR
    assert not made.is_open(at("2025-11-27T12:00"))


def test_so_much_work_is_done_rather_in_the_evening_than_the_next_morning() -> None:
    made = hours()
    done = made.worked_us(at("2025-11-21T09:00")) + 9 * HOUR
    assert made.reached_us(done) == at("2025-11-21T18:00")
    assert made.reached_us(done + 1) == at("2025-11-24T09:00") + 1


def test_a_day_whose_clocks_change_has_the_hours_that_it_has() -> None:
    cairo = hours_over(SupportCalendar("Africa/Cairo", 0, 24 * 60), [at("2025-04-01T00:00")])
    friday = at("2025-04-25T00:00", "Africa/Cairo"), at("2025-04-26T00:00", "Africa/Cairo")  # the clocks jump from 0:00 to 1:00
    assert cairo.elapsed_us(*friday) == 23 * HOUR


def test_the_nights_of_a_change_are_as_long_as_they_are_and_support_does_not_notice() -> None:
    made = hours()
    assert made.elapsed_us(at("2025-10-31T17:00"), at("2025-11-03T10:00")) == 2 * HOUR  # back by an hour on Sunday
    assert made.elapsed_us(at("2026-03-06T17:00"), at("2026-03-09T10:00")) == 2 * HOUR  # forward by an hour


@given(
    zone=st.sampled_from(ZONES),
    bounds=st.tuples(st.integers(0, 1_440), st.integers(0, 1_440)).filter(lambda pair: pair[0] < pair[1]),
    start=st.integers(at("2025-01-01T00:00"), at("2026-12-31T00:00")),
    work=st.integers(1, 40 * 9 * HOUR),
    free=st.sets(st.integers((date(2025, 1, 1) - EPOCH).days, (date(2026, 12, 31) - EPOCH).days), max_size=20),
)
def test_the_instant_that_work_reaches_is_the_first_at_which_so_much_was_worked(
    zone: str, bounds: tuple[int, int], start: int, work: int, free: set[int]
) -> None:
    made = hours_over(SupportCalendar(zone, *bounds, frozenset(free)), [start])
    reached = made.reached_us(made.worked_us(start) + work)
    assert made.elapsed_us(start, reached) == work
    assert made.elapsed_us(start, reached - 1) == work - 1
    assert made.elapsed_us(start, reached) == minutes_worked(SupportCalendar(zone, *bounds, frozenset(free)), start, reached)


def minutes_worked(calendar: SupportCalendar, start: int, end: int) -> int:
    """Worked time day by day, by the offsets of the clock at opening and at closing."""
    zone, total = ZoneInfo(calendar.zone), 0
    day = datetime.fromtimestamp(start // 1_000_000, zone).date() - timedelta(days=1)
    while day <= datetime.fromtimestamp(end // 1_000_000, zone).date() + timedelta(days=1):
        if day.weekday() < 5 and (day - EPOCH).days not in calendar.holidays:
            midnight = datetime.combine(day, time(0))
            opens, closes = (
                max(to_us((midnight + timedelta(minutes=m)).replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
                for m in (calendar.opens_min, calendar.closes_min)
            )
            total += max(0, min(end, closes) - max(start, opens))
        day += timedelta(days=1)
    return total


def test_a_tenant_without_a_support_zone_has_its_own() -> None:
    config = TenantConfig.model_validate({"tenant": {"timezone": "Europe/Berlin", "support_hours": "08:00-24:00"}})
    assert SupportCalendar.of(config) == SupportCalendar("Europe/Berlin", 8 * 60, 24 * 60)
    assert SupportCalendar.of(config).day_us == 16 * HOUR


@pytest.mark.parametrize(
    ("written", "amount", "business"),
    [
        ("30m", 30 * MINUTE, False),
        ("4h", 4 * HOUR, False),
        ("2d", 48 * HOUR, False),
        ("2bh", 2 * HOUR, True),
        ("5bd", 45 * HOUR, True),
    ],
)
def test_limits_are_read_as_they_are_written(written: str, amount: int, business: bool) -> None:  # noqa: FBT001
    limit = Limit(written)
    assert (limit.us(9 * HOUR), limit.is_business) == (amount, business)


@pytest.mark.parametrize("written", ["", "h", "4", "4 h", "-4h", "4hb", "1.5h", "٣h"])
def test_what_is_no_limit_is_refused(written: str) -> None:
    with pytest.raises(InvalidText, match="is no limit of support"):
        Limit(written)
