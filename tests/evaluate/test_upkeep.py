"""Upkeep harms nothing, whatever the clock of its machine says."""

from service.clock import DAY, SECOND, SystemClock
from service.evaluate.upkeep import Upkeep
from service.eventlog.postgres import PostgresLog
from service.settings import Settings
from service.store.engine import create_pool
from service.store.installation import ensure_installation
from tests.http.clocks import HandClock


async def test_a_clock_that_is_years_ahead_drops_no_partition(database_url: str) -> None:
    settings, clock = Settings(), HandClock()
    clock.us = SystemClock().now_us() + 3 * 365 * DAY
    pool = await create_pool(database_url, max_size=2)
    try:
        async with pool.acquire() as connection:
            installation = await ensure_installation(connection, settings, log_kind="postgres")
        log = await PostgresLog.open(pool, generation=installation.generation, partitions=installation.partitions, clock=clock)
        kept = "select count(*) from pg_inherits where inhparent = 'fact_quarter'::regclass"
        before = await pool.fetchval(kept)
        await Upkeep(pool, log, clock, settings, installation).make_partitions()
        assert await pool.fetchval(kept) >= before
        clock.move(-3 * 365 * DAY / SECOND)
        await Upkeep(pool, log, clock, settings, installation).make_partitions()
        assert await pool.fetchval(kept) >= before
    finally:
        await pool.close()
