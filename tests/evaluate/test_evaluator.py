"""The evaluator outlives its database: it stands by while Postgres is away, and goes on when it is back."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from service.catalog import Catalog
from service.clock import SystemClock
from service.evaluate.evaluator import Evaluator
from service.evaluate.guests import GuestTurns
from service.evaluate.task import Task
from service.evaluate.upkeep import Upkeep
from service.eventlog.postgres import PostgresLog
from service.lifecycle import side_by_side
from service.settings import Settings
from service.store.embedded import EmbeddedPostgres
from service.store.engine import create_pool
from service.store.installation import ensure_installation
from service.store.migrate import migrate
from service.telemetry import Telemetry

SETTINGS = Settings(lease_s=2.0)
TELEMETRY = Telemetry("test")


@pytest.fixture
async def server() -> AsyncIterator[EmbeddedPostgres]:
    with tempfile.TemporaryDirectory(prefix="tidegauge-away-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)  # noqa: ASYNC240  # as root Postgres runs as another user, who must get there
        made = EmbeddedPostgres(Path(directory) / "data", fsync=False)
        await made.start()
        try:
            await migrate(made.url, SETTINGS)
            yield made
        finally:
            await made.stop()


async def evaluator(pool: asyncpg.Pool, *others: Task) -> Evaluator:
    async with pool.acquire() as connection:
        fixed = await ensure_installation(connection, SETTINGS, log_kind="postgres")
    clock = SystemClock()
    log = await PostgresLog.open(pool, generation=fixed.generation, partitions=fixed.partitions, clock=clock)
    upkeep = Upkeep(pool, log, clock, SETTINGS, fixed)
    catalog = Catalog.load()
    return Evaluator(
        pool=pool,
        catalog=catalog,
        upkeep=upkeep,
        clock=clock,
        settings=SETTINGS,
        installation=fixed,
        telemetry=TELEMETRY,
        guests=GuestTurns(),
        others=others,
    )


async def until(made: Evaluator, *, holds: bool) -> None:
    async with asyncio.timeout(180):
        while made.holds_lease is not holds:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert TELEMETRY.registry.get_sample_value("tidegauge_evaluator_active") == holds


async def test_a_postgres_that_was_away_is_evaluated_again_and_one_that_stays_away_lets_it_stop(
    server: EmbeddedPostgres,
) -> None:
    pool = await create_pool(server.url, max_size=8)
    made, stop = await evaluator(pool), asyncio.Event()
    running = asyncio.create_task(made.run(stop))
    try:
        await until(made, holds=True)
        await server.stop()
        await until(made, holds=False)
        await server.start()
        await until(made, holds=True)
        await server.stop()
        await until(made, holds=False)
        stop.set()
        async with asyncio.timeout(180):
            await running
    finally:
        running.cancel()
        pool.terminate()


async def test_a_task_that_fails_is_done_again_however_deep_its_error_lay(database_url: str) -> None:
    pool, counted, enough = await create_pool(database_url, max_size=8), 0, asyncio.Event()

    async def divide(by: int) -> None:
        await pool.fetchval("select 1 / $1::int", by)

    async def fails() -> None:
        nonlocal counted
        counted += 1
        if counted == 3:
            enough.set()
        await side_by_side([side_by_side([divide(0), divide(1)]), divide(1)])

    made, stop = await evaluator(pool, Task("fails", 0.01, fails)), asyncio.Event()
    running = asyncio.create_task(made.run(stop))
    try:
        async with asyncio.timeout(180):
            await enough.wait()
            assert made.holds_lease
            stop.set()
            await running
    finally:
        running.cancel()
        await pool.close()


async def test_a_task_that_ended_is_begun_anew_with_all_others(database_url: str) -> None:
    """Whatever ended it: nobody would do its work, and nobody would say so."""
    pool, begun, enough = await create_pool(database_url, max_size=8), 0, asyncio.Event()

    async def ends() -> None:
        nonlocal begun
        begun += 1
        if begun == 2:
            enough.set()
        raise asyncio.CancelledError

    made, stop = await evaluator(pool, Task("ends", 0.01, ends)), asyncio.Event()
    running = asyncio.create_task(made.run(stop))
    try:
        async with asyncio.timeout(180):
            await enough.wait()
            stop.set()
            await running
    finally:
        running.cancel()
        await pool.close()
