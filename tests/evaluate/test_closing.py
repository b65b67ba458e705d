"""History has a row for every closed window, and a late event writes it again."""

import asyncio
import tomllib
from dataclasses import replace

import asyncpg
import pytest

from service.catalog import Catalog
from service.clock import DAY, HOUR, SECOND, to_datetime
from service.domain.config import TenantConfig
from service.evaluate.closing import MAX_TENANT_WINDOWS, WINDOWS
from service.store import history
from tests.catalog.accounts import Said, store_accounts
from tests.catalog.rollups import make_tenant
from tests.evaluate.stage import Stage, staged


async def close(stage: Stage) -> int:
    return await stage.closing().once(stage.pool, stage.owner, stage.lease, watermark_us=stage.clock.now_us())


async def declare(stage: Stage, text: str, *, from_us: int = 0) -> None:
    """A version of what the tenant declares; the first one always reaches back for ever."""
    config = TenantConfig.model_validate(tomllib.loads(text), by_alias=True).to_json()
    async with stage.pool.acquire() as connection:
        version = await connection.fetchval(
            "update tenant set config_version = config_version + 1 where id = $1 returning config_version", stage.tenant
        )
        begins = to_datetime(from_us) if version > 1 else None
        insert = "insert into config_version (tenant, version, valid_from, source, parsed) values ($1, $2, $3, '', $4)"
        await connection.execute(insert, stage.tenant, version, begins, config)


async def test_every_closed_day_has_its_row_and_the_open_one_has_none(database_url: str) -> None:
    async with staged(database_url, zone="America/New_York") as stage:
        now = stage.clock.now_us()
        await stage.requests([(now - 3 * DAY, "200", 3), (now - DAY, "200", 1), (now, "200", 7)])
        await close(stage)
        days = await stage.values("kpi_history", "requests", window="day")
        assert [row["value"] for row in days[-3:]] == [3, 0, 1]
        assert days[-1]["end_at"].timestamp() * SECOND <= now


async def test_what_is_written_is_not_written_again(database_url: str) -> None:
    async with staged(database_url) as stage:
        await stage.requests([(stage.clock.now_us() - 2 * DAY, "200", 3)])
        assert await close(stage) > 0
        assert await close(stage) == 0


async def test_a_window_gets_its_row_when_it_closes(database_url: str) -> None:
    async with staged(database_url) as stage:
        now = stage.clock.now_us()
        await stage.requests([(now, "200", 5)])
        await close(stage)
        before = len(await stage.values("kpi_history", "requests", window="day"))
        stage.clock.move(DAY / SECOND)
        assert await close(stage) >= 1
        days = await stage.values("kpi_history", "requests", window="day")
        assert (len(days), days[-1]["value"]) == (before + 1, 5)


async def test_a_late_event_rewrites_its_own_windows_only(database_url: str) -> None:
    async with staged(database_url) as stage:
        now = stage.clock.now_us()
        await stage.requests([(now - 3 * DAY, "200", 3), (now - 2 * DAY, "200", 4)])
        await close(stage)
        first = await stage.values("kpi_history", "requests", window="day")
        late = now - 2 * DAY + HOUR
        await stage.pool.execute(
            "update fact_day set n = n + 1 where day = (to_timestamp($1) at time zone 'UTC')::date", late / SECOND
        )
        async with stage.pool.acquire() as connection:
            await stage.touch(connection, [late])
        await close(stage)
        again = await stage.values("kpi_history", "requests", window="day")
        assert [row["value"] for row in again[-3:]] == [3, 5, 0]
        assert [row["at"] for row in again if row["value"] == 3] == [row["at"] for row in first if row["value"] == 3]


async def test_a_day_that_is_over_is_counted_by_what_was_declared_then(database_url: str) -> None:
    """A late event writes the day again, and the first close of a backfill comes after all versions have begun."""
    async with staged(database_url) as plain:
        stage = replace(plain, catalog=Catalog({"customers": Catalog.load().kpis["customers"]}))
        now = stage.clock.now_us()
        async with stage.pool.acquire() as connection:
            await store_accounts(connection, stage.tenant, [Said(now - 6 * DAY, "acme", {"status": "trial"})])
            await stage.touch(connection, [now - 6 * DAY])
        await declare(stage, "")
        await declare(stage, "[activity]\ncustomer_statuses = ['active', 'trial']", from_us=now - 2 * DAY)
        await close(stage)

        async def customers() -> list[float]:
            return [row["value"] for row in (await stage.values("kpi_history", "customers", window="day"))[-5:]]

        assert await customers() == [0, 0, 0, 1, 1]
        await declare(stage, "[activity]\ncustomer_statuses = ['active']", from_us=now)
        async with stage.pool.acquire() as connection:
            await stage.touch(connection, [now - 5 * DAY])
        await close(stage)
        assert await customers() == [0, 0, 0, 1, 1]
        stage.clock.move(DAY / SECOND)
        await close(stage)
        assert await customers() == [0, 0, 1, 1, 0]


async def test_the_history_of_decades_is_written_little_by_little(database_url: str) -> None:
    async with staged(database_url) as stage:
        now = stage.clock.now_us()
        await stage.requests([(now - 90 * DAY, "200", 3), (now - DAY, "200", 1)])
        looked: list[int] = []
        while count := await close(stage):
            looked.append(count)
        assert max(looked) <= MAX_TENANT_WINDOWS + len(WINDOWS)
        days = await stage.values("kpi_history", "requests", window="day")
        assert sum(row["value"] for row in days) == 4
        assert len({row["end_at"] for row in days}) == len(days) >= 90


async def test_an_event_that_comes_while_decades_are_written_is_not_forgotten(database_url: str) -> None:
    async with staged(database_url) as stage:
        now = stage.clock.now_us()
        await stage.requests([(now - 90 * DAY, "200", 3)])
        await close(stage)
        await stage.requests([(now - 89 * DAY, "200", 2)])
        while await close(stage):
            pass
        days = await stage.values("kpi_history", "requests", window="day")
        assert sum(row["value"] for row in days) == 5


async def test_tenants_with_late_events_all_the_time_keep_no_other_waiting(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.evaluate.closing.MAX_TENANTS", 1)
    async with staged(database_url) as stage:
        now = stage.clock.now_us()
        async with stage.pool.acquire() as connection:
            other = replace(stage, tenant=await make_tenant(connection, "globex", stage.zone))
        await other.requests([(now - 2 * DAY, "200", 7)])
        await stage.requests([(now - 2 * DAY, "200", 1)])
        for _ in range(3):
            async with stage.pool.acquire() as connection:
                await stage.touch(connection, [now - 2 * DAY])
            await close(stage)
        days = await other.values("kpi_history", "requests", window="day")
        assert sum(row["value"] for row in days) == 7


async def test_handing_over_to_the_history_waits_for_no_flush_in_a_circle(database_url: str) -> None:
    first, second = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    try:
        await first.execute("insert into tenant_dirty values (2, 1, 5, 5), (1, 1, 5, 5)")
        async with first.transaction():
            await first.execute("update tenant_dirty set flush = 2 where tenant = 1")
            taking = asyncio.create_task(history.take_touched(second))
            await asyncio.sleep(0.3)
            await first.execute("update tenant_dirty set flush = 2 where tenant = 2")
        await taking
        assert await first.fetchval("select count(*) from history_progress where touched_from_us = 5") == 2
    finally:
        await first.close()
        await second.close()
