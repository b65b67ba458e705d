"""Every event counts exactly once, whatever happens to the workers."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest

from service.clock import HOUR
from service.settings import Settings
from service.store.flush import TURN
from tests.aggregate.conftest import Site
from tests.aggregate.dump import dump
from tests.aggregate.events import Events
from tests.aggregate.streams import by_family, stream

# Flushes that stand behind somebody's lock.
_WAITING = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
MakeSite = Callable[[], Awaitable[Site]]
PATIENCE_S = 180
"""A process that starts on a busy machine, with its loops to compile, takes long."""


@pytest.fixture
def settings() -> Settings:
    # Shorter leases than an operator may set: a test need not wait for seconds until one expires.
    allowed = Settings(partitions=4, flush_interval_s=0.01, flush_events=100)
    return allowed.model_copy(update={"lease_s": 0.6})


async def feed(site: Site, seed: int, *, count: int = 1_500, pause_s: float = 0.0, size: int = 30) -> None:
    """Append a stream in small parts."""
    rows = stream(site, seed, count)
    for start in range(0, count, size):
        await site.append(by_family(rows[start : start + size]))
        await asyncio.sleep(pause_s)


async def undisturbed(make: MakeSite) -> Site:
    """A site whose batches are cut as large as they come."""
    site = await make()
    site.settings = site.settings.model_copy(update={"flush_events": 100_000})
    return site


async def same_as_undisturbed(site: Site, make: MakeSite, seed: int, count: int = 1_500) -> None:
    """The rollups are those of one worker that nothing happens to."""
    calm = await undisturbed(make)
    await feed(calm, seed, count=count, size=count)
    await calm.consume()
    async with site.pool.acquire() as connection, calm.pool.acquire() as other:
        found, expected = await dump(connection), await dump(other)
    for name, rows in expected.items():
        assert found[name] == rows, name


async def test_a_killed_aggregator_counts_nothing_twice(site: Site, another_site: MakeSite) -> None:
    pick = random.Random(1)
    feeding = asyncio.create_task(feed(site, 1, pause_s=0.03))
    while not feeding.done():
        task = asyncio.create_task(site.worker().run())
        await asyncio.sleep(0.7 + pick.random() * 0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await feeding
    await site.consume()
    await same_as_undisturbed(site, another_site, 1)


async def test_a_backend_that_ends_in_the_middle_of_a_flush_costs_nothing(site: Site, another_site: MakeSite) -> None:
    pick = random.Random(2)
    admin = await asyncpg.connect(site.url)
    feeding = asyncio.create_task(feed(site, 2, pause_s=0.02))
    ended = 0
    try:
        async with site.working(2):
            while not feeding.done() or ended <= 5:
                await asyncio.sleep(pick.random() * 0.2)
                ended += await admin.fetchval(
                    "select count(*) from lease, pg_terminate_backend(backend_pid) where owner is not null"
                )
            await feeding
            await site.consumed()
    finally:
        await admin.close()
    assert ended > 5
    await same_as_undisturbed(site, another_site, 2)


async def test_workers_that_join_and_leave_share_the_partitions_and_lose_nothing(
    site_on_either_log: Site, another_site: MakeSite
) -> None:
    site = site_on_either_log
    # Nobody dies: whoever stands still for seconds on a busy machine keeps what it holds.
    site.settings = site.settings.model_copy(update={"lease_s": 30.0})
    feeding = asyncio.create_task(feed(site, 3, pause_s=0.05))
    async with site.working(1) as [first]:
        async with site.working(3) as others:
            await until(lambda: [len(worker.holding) for worker in (first, *others)] == [1, 1, 1, 1])
        await until(lambda: len(first.holding) == 4)
        async with site.working(1) as [second]:
            await until(lambda: len(first.holding) == len(second.holding) == 2)
            await feeding
            await site.consumed()
    await same_as_undisturbed(site, another_site, 3)


async def test_other_batches_and_workers_give_the_same_rollups(site_on_either_log: Site, another_site: MakeSite) -> None:
    site = site_on_either_log
    await feed(site, 4, size=700)
    await site.consume(workers=2)
    await same_as_undisturbed(site, another_site, 4)


def where(site: Site) -> dict[str, str]:
    """The variables that say where the site's log is."""
    said = site.settings
    if said.kafka_bootstrap is None:
        return {}
    named = {"KAFKA_BOOTSTRAP": said.kafka_bootstrap, "KAFKA_TOPIC_PREFIX": said.kafka_topic_prefix}
    return {f"TIDEGAUGE_{name}": value for name, value in (named | {"ALLOW_SINGLE_BROKER": "true"}).items()}


@asynccontextmanager
async def process(site: Site) -> AsyncIterator[asyncio.subprocess.Process]:
    """An aggregator in a process of its own, killed at the end."""
    command = (sys.executable, "-m", "tests.aggregate.worker_process", site.url)
    made = await asyncio.create_subprocess_exec(*command, env=os.environ | where(site), stderr=asyncio.subprocess.DEVNULL)
    try:
        yield made
    finally:
        if made.returncode is None:
            made.send_signal(signal.SIGKILL)
        await made.wait()


async def holders(site: Site) -> set[int]:
    """Backends that hold partitions under leases that are alive."""
    async with site.pool.acquire() as connection:
        rows = await connection.fetch(
            "select distinct backend_pid from lease where owner is not null and expires_at > clock_timestamp()"
        )
    return {row["backend_pid"] for row in rows}


async def test_a_process_killed_at_any_instant_loses_nothing(site_on_either_log: Site, another_site: MakeSite) -> None:
    site = site_on_either_log
    pick = random.Random(5)
    feeding = asyncio.create_task(feed(site, 5, pause_s=0.08))
    while not feeding.done():
        async with process(site):
            await held(site)
            await asyncio.sleep(pick.random() * 0.5)
    await feeding
    await site.consume()
    await same_as_undisturbed(site, another_site, 5)


async def test_a_process_that_is_stopped_beyond_its_lease_hinders_nobody_and_writes_nothing(
    site_on_either_log: Site, another_site: MakeSite
) -> None:
    site = site_on_either_log
    feeding = asyncio.create_task(feed(site, 6, pause_s=0.05))
    async with process(site) as stopped:
        former = await held(site)
        stopped.send_signal(signal.SIGSTOP)
        async with site.working(1) as [worker]:
            await until(lambda: len(worker.holding) == 4)
            assert not former & await holders(site)
            await feeding
            await site.consumed()
            stopped.send_signal(signal.SIGCONT)
            # It comes back as one of the crew, with what it held forgotten.
            await until(lambda: len(worker.holding) == 2)
            await asyncio.sleep(0.5)
            await site.append(by_family(stream(site, 6, 1_500)[:100]))
            await site.consumed()
    calm = await undisturbed(another_site)
    await feed(calm, 6, size=500)
    await calm.append(by_family(stream(calm, 6, 1_500)[:100]))
    await calm.consume()
    async with site.pool.acquire() as connection, calm.pool.acquire() as other:
        assert await dump(connection) == await dump(other)


async def held(site: Site) -> set[int]:
    """Wait until the partitions are held by somebody alive."""
    async with asyncio.timeout(PATIENCE_S):
        while not (found := await holders(site)):  # noqa: ASYNC110  # what is waited for sets no event
            await asyncio.sleep(0.02)
    return found


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds, not for ever."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  # what is waited for sets no event
            await asyncio.sleep(0.02)


async def test_a_worker_that_loses_partitions_while_it_flushes_forgets_which_ids_they_had(site: Site) -> None:
    events, hour = Events(site), site.clock.now_us() // HOUR * HOUR - 3 * HOUR
    early, late = ([events.request(time_us=hour + n) for n in range(first, first + 40)] for first in (0, 40))
    elsewhere = [events.request(time_us=hour + HOUR + n) for n in range(40)]
    # It looks at its leases before each batch: so long after the last one, with a flush still under way.
    site.settings = site.settings.model_copy(update={"flush_interval_s": 2.0})
    thief = await asyncpg.connect(site.url)
    try:
        async with site.working(1) as [worker]:
            await site.append({"request": early})
            await site.consumed()
            await thief.execute("select pg_advisory_lock($1)", TURN)
            await site.append({"request": elsewhere})
            await waiting_for_its_turn(thief)
            await thief.execute(
                "update lease set owner = gen_random_uuid(), epoch = epoch + 1, expires_at = clock_timestamp() - interval '1 s'"
            )
            await until(lambda: not worker.holding)
            async with site.working(1) as [other]:
                await thief.execute("select pg_advisory_unlock($1)", TURN)
                await until(lambda: len(worker.holding) == len(other.holding) == 2)
                await site.append({"request": late})
                await site.consumed()
            await until(lambda: len(worker.holding) == 4)
            await site.append({"request": late})
            report = await site.consumed()
    finally:
        await thief.close()
    assert (report.stored, report.duplicate) == (120, 40)


async def waiting_for_its_turn(connection: asyncpg.Connection) -> None:
    """Until a flush stands behind the lock that is held here."""
    async with asyncio.timeout(PATIENCE_S):
        while not await connection.fetchval(_WAITING):  # noqa: ASYNC110  # what is waited for sets no event
            await asyncio.sleep(0.02)
