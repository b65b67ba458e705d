"""Windows take the bounds that kpis.md and events.md promise, and are cut without gap or overlap."""

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.catalog import Kept, Window, resolve_window, window_before
from service.catalog.cut import cut, expired
from service.clock import DAY, HOUR, MINUTE, QUARTER, SECOND, to_us
from service.domain.localtime import day_of, start_of_day_us
from service.errors import InvalidQuery

NEW_YORK = "America/New_York"
ZONES = (NEW_YORK, "Asia/Kathmandu", "Australia/Lord_Howe", "UTC", "Africa/Cairo")


def at(zone: str, year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    return to_us(datetime(year, month, day, hour, minute, second, tzinfo=ZoneInfo(zone)))


def window(name: str, end_us: int, zone: str = NEW_YORK) -> Window:
    return resolve_window(1, zone, now_us=end_us, name=name)


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("day", (2025, 11, 2), (2025, 11, 3)),
        ("1d", (2025, 11, 2), (2025, 11, 3)),
        ("7d", (2025, 10, 27), (2025, 11, 3)),
        ("28d", (2025, 10, 6), (2025, 11, 3)),
        ("week", (2025, 10, 27), (2025, 11, 3)),
        ("month", (2025, 11, 1), (2025, 12, 1)),
        ("quarter", (2025, 10, 1), (2026, 1, 1)),
        ("year", (2025, 1, 1), (2026, 1, 1)),
    ],
)
def test_days_and_calendar_windows_are_those_of_the_zone(
    name: str, start: tuple[int, int, int], end: tuple[int, int, int]
) -> None:
    made = window(name, at(NEW_YORK, 2025, 11, 2, 15, 4, 5))
    assert (made.start_us, made.end_us) == (at(NEW_YORK, *start), at(NEW_YORK, *end))
    assert made.until_us == at(NEW_YORK, 2025, 11, 2, 15, 4, 5)


def test_a_day_has_23_or_25_hours_when_the_clocks_change() -> None:
    lengths = [
        (one.end_us - one.start_us) // HOUR
        for one in (window("day", at(NEW_YORK, 2025, 11, 2, 12)), window("day", at(NEW_YORK, 2025, 3, 9, 12)))
    ]
    assert lengths == [25, 23]


@pytest.mark.parametrize("name", ["week", "7d", "day", "month"])
def test_a_window_that_ends_at_midnight_holds_the_instant_before(name: str) -> None:
    midnight = at(NEW_YORK, 2025, 12, 1)
    assert window(name, midnight).end_us == midnight


@pytest.mark.parametrize(("name", "minutes"), [("5m", 5), ("1h", 60), ("24h", 1440)])
def test_a_short_window_ends_with_the_minute_of_its_end(name: str, minutes: int) -> None:
    made = window(name, at(NEW_YORK, 2025, 11, 2, 15, 4, 5))
    assert made.end_us == at(NEW_YORK, 2025, 11, 2, 15, 5)
    assert made.end_us - made.start_us == minutes * MINUTE


def test_bounds_of_ones_own_grow_to_minutes_quarters_or_days() -> None:
    start, end = at("UTC", 2025, 11, 2, 10, 7, 30), at("UTC", 2025, 11, 2, 11, 8, 1)
    short = resolve_window(1, "UTC", now_us=end, start_us=start, end_us=end)
    assert (short.start_us, short.end_us) == (at("UTC", 2025, 11, 2, 10, 7), at("UTC", 2025, 11, 2, 11, 9))
    long = resolve_window(1, "UTC", now_us=end, start_us=start - DAY, end_us=end)
    assert (long.start_us, long.end_us) == (at("UTC", 2025, 11, 1, 10, 0), at("UTC", 2025, 11, 2, 11, 15))
    days = resolve_window(1, "UTC", now_us=end, start_us=start, end_us=end, whole_days=True)
    assert (days.start_us, days.end_us) == (at("UTC", 2025, 11, 2), at("UTC", 2025, 11, 3))


def test_what_makes_no_window_is_refused() -> None:
    for asked in ({}, {"name": "8d"}, {"name": "7d", "start_us": 0}, {"start_us": 5, "end_us": 5}):
        with pytest.raises(InvalidQuery):
            resolve_window(1, "UTC", now_us=DAY, **asked)


def test_the_window_before_is_the_calendar_one_or_of_the_same_length() -> None:
    month = window_before(window("month", at(NEW_YORK, 2025, 3, 15)))
    assert (month.start_us, month.end_us) == (at(NEW_YORK, 2025, 2, 1), at(NEW_YORK, 2025, 3, 1))
    week = window_before(window("7d", at(NEW_YORK, 2025, 11, 5, 12)))
    assert (week.start_us, week.end_us) == (at(NEW_YORK, 2025, 10, 23), at(NEW_YORK, 2025, 10, 30))
    hour = window_before(window("1h", at(NEW_YORK, 2025, 11, 5, 12)))
    assert (hour.start_us, hour.end_us) == (at(NEW_YORK, 2025, 11, 5, 10), at(NEW_YORK, 2025, 11, 5, 11))
    own = resolve_window(1, NEW_YORK, now_us=0, start_us=at(NEW_YORK, 2025, 11, 1), end_us=at(NEW_YORK, 2025, 11, 4))
    assert window_before(own).start_us == at(NEW_YORK, 2025, 10, 29)


@given(
    st.integers(at("UTC", 2024, 1, 1) // MINUTE, at("UTC", 2027, 1, 1) // MINUTE), st.integers(1, 200_000), st.sampled_from(ZONES)
)
def test_pieces_are_the_window_without_gap_or_overlap(start_minute: int, minutes: int, zone: str) -> None:
    start, end = start_minute * MINUTE, (start_minute + minutes) * MINUTE
    pieces = cut(start, end, zone)
    days = [(start_of_day_us(low, zone), start_of_day_us(high, zone)) for low, high in pieces.days]
    spans = sorted([*pieces.minutes, *pieces.quarters, *days])
    assert spans[0][0] == start
    assert spans[-1][1] == end
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert all(low % QUARTER == high % QUARTER == 0 for low, high in pieces.quarters)
    assert sum(high - low for low, high in pieces.minutes) < 2 * QUARTER
    assert all(high - low < 25 * HOUR for low, high in pieces.quarters) or not pieces.days


def test_a_window_is_expired_where_a_piece_is_finer_than_what_is_kept() -> None:
    midnight = at("UTC", 2025, 11, 2)
    kept = Kept(minute_from_us=midnight + DAY, quarter_from_us=midnight)
    assert not expired(cut(midnight - 9 * DAY, midnight, "UTC"), kept)
    assert expired(cut(midnight - QUARTER, midnight, "UTC"), kept)
    assert not expired(cut(midnight, midnight + QUARTER, "UTC"), kept)
    assert expired(cut(midnight, midnight + MINUTE, "UTC"), kept)


def test_an_open_window_says_which_day_has_begun() -> None:
    now = at(NEW_YORK, 2025, 11, 5, 0, 0, 1)
    week = window("week", now)
    assert (week.first_day, week.last_day) == (day_of(at(NEW_YORK, 2025, 11, 3), NEW_YORK), day_of(now, NEW_YORK))
    assert window("week", now - 2 * SECOND).last_day == week.last_day - 1
