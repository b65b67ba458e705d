"""Requests and users of a day, through the mechanism of the catalog."""

from datetime import UTC, date, datetime

import asyncpg
import pytest

from loadtests import active_weeks
from service.catalog import Catalog, Question, Window, resolve_window, run
from service.clock import MINUTE, SECOND, to_us
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store

NOON = to_us(datetime(2025, 11, 19, 12, 0, tzinfo=UTC))


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def test_every_file_of_the_catalog_is_a_kpi(catalog: Catalog) -> None:
    assert catalog.refused == ()


async def test_requests_of_the_last_minutes_are_counted_by_service(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    await make_partitions(connection)
    seen = [
        Observation(NOON - 4 * MINUTE, {"service": "api", "status": "200"}, count=7),
        Observation(NOON + 10 * SECOND, {"service": "api", "status": "500"}, count=2),
        Observation(NOON + 20 * SECOND, {"service": "web", "status": "200"}, account="acme"),
        Observation(NOON - 6 * MINUTE, {"service": "api", "status": "200"}, count=100),
    ]
    await store(connection, tenant, "request", "UTC", seen)
    window = resolve_window(tenant, "UTC", now_us=NOON + 30 * SECOND, name="5m")
    whole = await run(connection, catalog.kpis["requests"], [window])
    assert {value.statistic: value.value for value in whole} == {"": 10, "per_minute": pytest.approx(10 / 4.5)}
    split = await run(connection, catalog.kpis["requests"], [window], Question(by=("service",), statistics=("",)))
    assert {value.dims["service"]: value.value for value in split} == {"api": 9, "web": 1}


async def test_an_active_user_is_counted_once_a_day(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    await connection.execute(
        "insert into activity_day select $1, 'user', 0, $2, 0, (repeat('0', 2045) || '101')::bit(2048)",
        tenant,
        date(2025, 11, 19),
    )
    for statement in active_weeks.FILLS:
        await connection.execute(statement, [tenant])
    windows = [resolve_window(tenant, "UTC", now_us=NOON + at, name="day", key=at) for at in (0, 86_400 * SECOND)]
    assert [value.value for value in await run(connection, catalog.kpis["dau"], windows)] == [2, 0]
    assert isinstance(windows[0], Window)
