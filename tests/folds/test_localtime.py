"""Local days are those of the zone, whatever its clocks do."""

from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clock import DAY, HOUR, MINUTE
from service.domain.columns import local_days
from service.domain.localtime import EPOCH, bounds_us, day_of, first_day, next_first_day, start_of_day_us
from tests.folds.oracle import local_day

ZONES = [
    "UTC",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
    "America/Havana",
    "Africa/Cairo",
    "Asia/Beirut",
    "America/Sao_Paulo",
    "Africa/Monrovia",
]
recent = st.integers(1_000_000_000_000_000, 1_900_000_000_000_000)
instants = st.one_of(recent, st.integers(-2_000_000_000_000_000, 4_000_000_000_000_000))


def _day(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


def _us(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@settings(deadline=None)
@given(st.lists(st.tuples(instants, st.sampled_from(ZONES)), max_size=20), st.integers(0, 3 * DAY))
def test_columns_of_instants_have_the_days_that_zoneinfo_gives(rows: list[tuple[int, str]], step_us: int) -> None:
    rows = [*rows, *[(at + step_us, zone) for at, zone in rows], *[(at // DAY * DAY, zone) for at, zone in rows]]
    times = pl.Series([at for at, _ in rows], dtype=pl.Int64)
    of_row = np.array([ZONES.index(zone) for _, zone in rows], dtype=np.int64)
    expected = [local_day(at, zone) for at, zone in rows]
    assert local_days(times, ZONES, of_row).to_list() == expected
    assert [day_of(at, zone) for at, zone in rows] == expected
    for at, zone in rows[:1]:
        many = pl.Series([at + quarter * 15 * MINUTE for quarter in range(200)])
        assert local_days(many, [zone], np.zeros(len(many), dtype=np.int64)).to_list() == [local_day(each, zone) for each in many]


@settings(deadline=None)
@given(recent, st.sampled_from(ZONES))
def test_a_day_begins_where_the_day_before_ends(at_us: int, zone: str) -> None:
    day = day_of(at_us, zone)
    start, end = bounds_us(at_us, zone, "day")
    assert start <= at_us < end
    assert day_of(start, zone) == day
    assert day_of(start - 1, zone) < day
    assert day_of(end, zone) > day
    assert start % (15 * MINUTE) == 0


@pytest.mark.parametrize(
    ("zone", "day", "start", "length_us"),
    [
        ("America/New_York", "2025-03-09", "2025-03-09T05:00", 23 * HOUR),
        ("America/New_York", "2025-11-02", "2025-11-02T04:00", 25 * HOUR),
        ("Australia/Lord_Howe", "2025-04-06", "2025-04-05T13:00", 24 * HOUR + 30 * MINUTE),
        ("Australia/Lord_Howe", "2025-10-05", "2025-10-04T13:30", 23 * HOUR + 30 * MINUTE),
        ("Asia/Kathmandu", "2025-01-01", "2024-12-31T18:15", 24 * HOUR),
        ("Africa/Cairo", "2025-04-25", "2025-04-24T22:00", 23 * HOUR),
        ("America/Havana", "2025-11-02", "2025-11-02T04:00", 25 * HOUR),
        ("America/Sao_Paulo", "2018-02-17", "2018-02-17T02:00", 25 * HOUR),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00", 0),
    ],
)
def test_days_are_as_long_as_the_clocks_make_them(zone: str, day: str, start: str, length_us: int) -> None:
    begin = start_of_day_us(_day(day), zone)
    assert begin == _us(start)
    assert start_of_day_us(_day(day) + 1, zone) - begin == length_us


@pytest.mark.parametrize(
    ("unit", "first", "following"),
    [
        ("day", "2025-11-27", "2025-11-28"),
        ("week", "2025-11-24", "2025-12-01"),
        ("month", "2025-11-01", "2025-12-01"),
        ("quarter", "2025-10-01", "2026-01-01"),
        ("year", "2025-01-01", "2026-01-01"),
    ],
)
def test_calendar_windows_begin_on_their_first_day(unit: str, first: str, following: str) -> None:
    day = _day("2025-11-27")
    assert first_day(day, unit) == _day(first)  # type: ignore[arg-type]
    assert next_first_day(day, unit) == _day(following)  # type: ignore[arg-type]


@given(st.integers(0, 40_000), st.sampled_from(["day", "week", "month", "quarter", "year"]))
def test_calendar_windows_tile_the_days(day: int, unit: str) -> None:
    first, following = first_day(day, unit), next_first_day(day, unit)  # type: ignore[arg-type]
    assert first <= day < following
    assert first_day(following, unit) == following  # type: ignore[arg-type]
    assert first_day(following - 1, unit) == first  # type: ignore[arg-type]
