"""Figures come from exact integers, and no value is no value."""

import statistics as python_statistics
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.catalog import Catalog, Declared, Kept, Question, Window, resolve_window, run
from service.catalog.question import check
from service.catalog.statistics import SHARES, elapsed, interpolated, plain, rate
from service.catalog.value import Figure
from service.clock import DAY, HOUR, MINUTE, to_us
from service.errors import InvalidQuery
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store

NEW_YORK = "America/New_York"
NOON = to_us(datetime(2025, 11, 5, 12, tzinfo=ZoneInfo(NEW_YORK)))


def window(name: str, now_us: int = NOON, end_us: int | None = None) -> Window:
    return resolve_window(1, NEW_YORK, now_us=now_us, end_us=end_us, name=name)


def test_counts_of_nothing_are_zero_and_shares_of_nothing_are_none() -> None:
    assert plain("count", None, None) == Figure(0, 0, None)
    assert plain("ratio", 0, 0) == Figure(None, 0, 0)
    assert plain("mean", None, None).value is None
    assert plain("ratio", Decimal(1), Decimal(3)) == Figure(1 / 3, 1, 3)
    assert plain("count", Decimal("2.5"), None).value == 2.5


@given(st.lists(st.integers(0, 10**15), min_size=2, max_size=40))
def test_percentiles_of_durations_interpolate_as_postgres_does(values: list[int]) -> None:
    ordered = sorted(values)
    exact = [Fraction(value) for value in ordered]
    assert interpolated(ordered, SHARES["p50"]) == float(python_statistics.median(exact))
    quarters = python_statistics.quantiles(exact, n=4, method="inclusive")
    assert interpolated(ordered, SHARES["p75"], 10**9) == float(quarters[2] / 10**9)


async def test_interpolation_is_percentile_cont(connection: asyncpg.Connection) -> None:
    values = [3, 9, 1, 500, 77]
    for share in SHARES.values():
        expected = await connection.fetchval(
            "select percentile_cont($2) within group (order by v) from unnest($1::bigint[]) v", values, share[0] / share[1]
        )
        assert interpolated(sorted(values), share) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "end_us", "per", "expected"),
    [
        ("7d", None, "day", Fraction(13, 2)),  # half of its last day is still to come
        ("week", NOON - 7 * DAY, "day", Fraction(7)),
        ("week", NOON - 3 * DAY, "day", Fraction(7)),  # it has a day of 25 hours
        ("week", NOON - 3 * DAY, "week", Fraction(1)),
        ("week", NOON - 3 * DAY, "minute", Fraction(7 * 24 * 60 + 60)),
        ("month", NOON - 10 * DAY, "month", Fraction(1)),
        ("month", None, "month", Fraction(9, 2) / 30),
        ("28d", NOON - 30 * DAY, "month", 28 / Fraction("30.4375")),
        ("5m", None, "minute", Fraction(5)),
    ],
)  # fmt: skip
def test_rates_divide_by_what_has_passed_of_the_local_calendar(
    name: str, end_us: int | None, per: str, expected: Fraction
) -> None:
    assert elapsed(window(name, end_us=end_us), per) == expected  # type: ignore[arg-type]


def test_a_rate_of_a_mean_keeps_its_denominator() -> None:
    made = rate(Figure(6.0, 12, 2), elapsed(window("28d", end_us=NOON - 30 * DAY), "month"))
    assert made.value == pytest.approx(6 * 30.4375 / 28)
    assert made.denominator == pytest.approx(Decimal(2 * 28) / Decimal("30.4375"))
    assert rate(Figure(None, 12, 0), elapsed(window("28d"), "month")).value is None


@given(st.integers(0, 10**24), st.none() | st.integers(1, 10**18), st.fractions(min_value=Fraction(1, 10**6), max_value=10**6))
def test_a_rate_is_the_nearest_number_to_the_exact_one(over: int, under: int | None, span: Fraction) -> None:
    exact = Fraction(over) / (span * (under or 1))
    for numerator in (over, Decimal(over)):
        made = rate(Figure(None, numerator, under), span)
        assert made.value == float(exact)


async def test_a_window_finer_than_what_is_kept_is_expired_and_the_others_go_on(connection: asyncpg.Connection) -> None:
    kpi = Catalog.load().kpis["requests"]
    tenant = await make_tenant(connection, "pilot", NEW_YORK)
    await make_partitions(connection)
    await store(connection, tenant, "request", NEW_YORK, [Observation(NOON - HOUR, {"service": "a", "status": "200"})])
    asked = [resolve_window(tenant, NEW_YORK, now_us=NOON + 13, name=name, key=name) for name in ("5m", "1h", "7d")]
    kept = Kept(minute_from_us=NOON + DAY, quarter_from_us=NOON + DAY)
    values = await run(connection, kpi, asked, Question(statistics=("",)), kept=kept)
    assert {value.window: (value.value, value.reason) for value in values} == {
        "5m": (None, "expired"),
        "1h": (None, "expired"),
        "7d": (1, ""),
    }


async def test_a_group_of_features_is_each_tenants_own(connection: asyncpg.Connection) -> None:
    kpi = Catalog.load().kpis["feature_uses"]
    await make_partitions(connection)
    declared, asked = {}, []
    for name, members in (("one", ("a", "b")), ("two", ("b", "c")), ("three", ())):
        tenant = await make_tenant(connection, name, "UTC")
        seen = [
            Observation(NOON - MINUTE, {"feature": feature}, "", 10**9, count)
            for feature, count in (("a", 1), ("b", 10), ("c", 100))
        ]
        await store(connection, tenant, "usage", "UTC", seen, distribution=False)
        declared[tenant] = Declared(feature_groups={"group": members} if members else {})
        asked.append(resolve_window(tenant, "UTC", now_us=NOON, name="day", key=name))
    for by in ((), ("feature",)):
        question = Question(by=by, filters={"feature": ("group",)}, statistics=("",))
        values = await run(connection, kpi, asked, question, declared=declared)
        assert {value.window: value.value for value in values if value.value} == {"one": 11, "two": 110}


def test_what_a_kpi_cannot_be_asked_is_refused_before_any_statement() -> None:
    kpis = Catalog.load().kpis
    for name, question in (
        ("requests", Question(by=("colour",))),
        ("requests", Question(filters={"colour": ("red",)})),
        ("requests", Question(statistics=("p95",))),
        ("requests", Question(parameters={"days": "all"})),
        ("meter", Question()),
        ("meter", Question(filters={"meter": ("a", "b")})),
    ):
        with pytest.raises(InvalidQuery):
            check(kpis[name], question)
