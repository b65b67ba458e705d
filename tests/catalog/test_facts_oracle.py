"""Every KPI of facts against a plain-Python oracle over the same observations, across days of 23 and 25 hours."""

import random
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from math import ceil
from typing import Final
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from service.catalog import Catalog, Question, Value, Window, resolve_window, run
from service.clock import DAY, HOUR, MINUTE, SECOND, to_us
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store

ZONES: Final = ("America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")
STATUSES: Final = ("200", "200", "204", "301", "404", "429", "500", "503", "timeout")
MS: Final = 1_000_000
Picked = Callable[[Observation], bool]


def local(zone: str, *parts: int) -> int:
    return to_us(datetime(*parts, tzinfo=ZoneInfo(zone)))  # type: ignore[arg-type,misc]


def requests(zone: str, chance: random.Random, how_many: int = 600) -> list[Observation]:
    """Requests of nine weeks around the changes of clocks in autumn, close together on some days."""
    centre = local(zone, 2025, 11, 2, 12)
    seen = []
    for _ in range(how_many):
        at = centre + chance.choice((chance.randrange(-30 * DAY, 30 * DAY), chance.randrange(-2 * HOUR, 2 * HOUR)))
        dims = {"service": chance.choice("ab"), "status": chance.choice(STATUSES)}
        dims |= chance.choice(({}, {"region": "eu"})) | chance.choice(({}, {}, {}, {"excluded": "test"}))
        seen.append(
            Observation(at, dims, chance.choice(("", "acme", "umbrella")), chance.randrange(1, 900 * MS), chance.randrange(1, 4))
        )
    return seen


def windows(tenant: int, zone: str) -> list[Window]:
    """Named windows of several ends, and bounds of one's own to the minute and to the quarter."""
    ends = [
        local(zone, 2025, 11, 2, 12, 0, 30),
        local(zone, 2025, 11, 3),
        local(zone, 2025, 10, 5, 3, 1),
        local(zone, 2025, 11, 30, 23, 59),
    ]
    now = local(zone, 2025, 12, 24)
    names = ("5m", "1h", "24h", "1d", "7d", "28d", "30d", "90d", "day", "week", "month", "quarter", "year")
    made = [resolve_window(tenant, zone, now_us=now, name=name, end_us=end, key=(name, end)) for name in names for end in ends]
    for key, (start, end) in enumerate(
        [(ends[0] - 100 * MINUTE, ends[0]), (ends[2], ends[0]), (ends[0] - 13 * MINUTE, ends[0] + 20 * HOUR)]
    ):
        made.append(resolve_window(tenant, zone, now_us=now, start_us=start, end_us=end, key=key))
    return made


def inside(seen: Iterable[Observation], window: Window) -> list[Observation]:
    return [one for one in seen if window.start_us <= one.at_us < window.end_us]


def counted(seen: Iterable[Observation], picked: Picked = lambda _: True) -> int:
    return sum(one.count for one in seen if picked(one))


def share(over: int, under: int) -> float | None:
    return over / under if under else None


def rank(values: Sequence[int], q: float) -> int:
    return sorted(values)[max(0, ceil(q * len(values)) - 1)]


def by_key(values: Iterable[Value]) -> dict[object, dict[str, Value]]:
    found: dict[object, dict[str, Value]] = {}
    for value in values:
        assert value.statistic not in found.setdefault(value.window, {})
        found[value.window][value.statistic] = value
    return found


def status_in(*classes: str) -> Picked:
    return lambda one: one.dims["status"][0] in classes


@pytest.mark.parametrize("zone", ZONES)
async def test_requests_and_their_errors_are_what_was_observed(zone: str, connection: asyncpg.Connection) -> None:
    kpis = Catalog.load().kpis
    tenant = await make_tenant(connection, "pilot", zone)
    await make_partitions(connection)
    seen = requests(zone, random.Random(zone))
    await store(connection, tenant, "request", zone, seen)
    asked = windows(tenant, zone)
    all_requests = by_key(await run(connection, kpis["requests"], asked))
    errors = by_key(await run(connection, kpis["error_rate"], asked))
    success = by_key(await run(connection, kpis["api_success"], asked))
    for window in asked:
        ours = inside(seen, window)
        judged = [one for one in ours if "excluded" not in one.dims]
        n = counted(judged)
        assert all_requests[window.key][""].value == counted(ours)
        assert errors[window.key][""].value == share(counted(judged, status_in("4", "5", "t")), n)
        assert errors[window.key]["4xx"].value == share(counted(judged, status_in("4")), n)
        assert errors[window.key]["5xx"].value == share(counted(judged, status_in("5")), n)
        assert errors[window.key]["timeout"].value == share(counted(judged, status_in("t")), n)
        assert success[window.key][""].value == share(n - counted(judged, status_in("5", "t")), n)
        assert (errors[window.key][""].reason == "no_data") == (n == 0)


@pytest.mark.parametrize("zone", ZONES)
async def test_latencies_have_exact_means_and_percentiles_within_one_percent(zone: str, connection: asyncpg.Connection) -> None:
    kpi = Catalog.load().kpis["request_latency"]
    tenant = await make_tenant(connection, "pilot", zone)
    await make_partitions(connection)
    seen = requests(zone, random.Random(zone))
    await store(connection, tenant, "request", zone, seen)
    asked = windows(tenant, zone)
    found = by_key(await run(connection, kpi, asked))
    for window in asked:
        values = [one.value for one in inside(seen, window) if "excluded" not in one.dims for _ in range(one.count)]
        got = found[window.key]
        assert got["count"].value == len(values)
        assert got["mean"].value == (sum(values) / (len(values) * MS) if values else None)
        assert got["min"].value == (min(values) / MS if values else None)
        assert got["max"].value == (max(values) / MS if values else None)
        for name, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
            assert got[name].value == (pytest.approx(rank(values, q) / MS, rel=0.01) if values else None)


async def test_for_one_account_requests_of_the_platform_count_too_but_not_in_a_split(connection: asyncpg.Connection) -> None:
    kpis, zone = Catalog.load().kpis, ZONES[0]
    tenant = await make_tenant(connection, "pilot", zone)
    await make_partitions(connection)
    seen = requests(zone, random.Random(1))
    await store(connection, tenant, "request", zone, seen)
    window = windows(tenant, zone)[-2]
    ours = inside(seen, window)
    one = await run(connection, kpis["requests"], [window], Question(filters={"account": ("acme",)}, statistics=("",)))
    assert [value.value for value in one] == [counted(ours, lambda each: each.account in {"", "acme"})]
    split = await run(connection, kpis["requests"], [window], Question(by=("account", "region"), statistics=("",)))
    expected = {
        (account, region): counted(ours, lambda each: (each.account, each.dims.get("region", "")) == (account, region))  # noqa: B023
        for account in ("acme", "umbrella")
        for region in ("", "eu")
    }
    assert {(value.dims["account"], value.dims["region"]): value.value for value in split} == expected


async def test_errors_by_status_are_shares_of_all_requests(connection: asyncpg.Connection) -> None:
    kpis, zone = Catalog.load().kpis, ZONES[0]
    tenant = await make_tenant(connection, "pilot", zone)
    await make_partitions(connection)
    seen = [one for one in requests(zone, random.Random(2)) if "excluded" not in one.dims]
    await store(connection, tenant, "request", zone, seen)
    window = windows(tenant, zone)[-2]
    ours = inside(seen, window)
    split = await run(connection, kpis["error_rate"], [window], Question(by=("service", "status"), statistics=("",)))
    got = {(value.dims["service"], value.dims["status"]): (value.numerator, value.denominator) for value in split}
    keys = {(one.dims["service"], one.dims["status"]) for one in ours if one.dims["status"][0] in "45t"}
    assert got == {
        (service, status): (
            counted(ours, lambda one: (one.dims["service"], one.dims["status"]) == (service, status)),  # noqa: B023
            counted(ours, lambda one: one.dims["service"] == service),  # noqa: B023
        )
        for service, status in keys
    }
    filtered = await run(connection, kpis["error_rate"], [window], Question(filters={"status": ("500", "404")}, statistics=("",)))
    wanted = counted(ours, lambda one: one.dims["status"] in {"500", "404"})
    assert [(value.numerator, value.denominator) for value in filtered] == [(wanted, counted(ours))]


async def test_rates_divide_by_the_time_that_has_passed(connection: asyncpg.Connection) -> None:
    kpi, zone = Catalog.load().kpis["requests"], "America/New_York"
    tenant = await make_tenant(connection, "pilot", zone)
    await make_partitions(connection)
    now = local(zone, 2025, 11, 2, 12)
    await store(connection, tenant, "request", zone, [Observation(now - SECOND, {"service": "a", "status": "200"}, count=780)])
    day = resolve_window(tenant, zone, now_us=now, name="day", key="day")
    hour = resolve_window(tenant, zone, now_us=now - 30 * MINUTE, end_us=now - 30 * MINUTE, name="1h", key="1h")
    found = by_key(await run(connection, kpi, [day, hour]))
    assert found["day"]["per_minute"].value == 1  # thirteen hours have passed since midnight: the clocks went back
    assert found["1h"]["per_minute"].value == 0
