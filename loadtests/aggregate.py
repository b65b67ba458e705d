"""The aggregator's stages: a backlog in the log is turned into committed rollups; its memory while it does."""

import asyncio
import os
import signal

import asyncpg
import numpy as np

from loadtests.backlog import RECEIVED_PER_S, fill
from loadtests.marks import Marks, consumed, mark
from loadtests.processes import memory
from loadtests.results import Aggregate, Holding
from loadtests.role import Role, running
from loadtests.site import Site
from loadtests.traffic import FAMILIES, Population, Traffic
from service.aggregate.memory import trim
from service.aggregate.seen import SeenIds
from service.settings import Settings
from service.store.ids import Bucket

WARM_UP = 0.3
FLUSHES = 8
"""At least so many in a run."""
FEWEST_IN_A_FLUSH = 100
POLL_S = 0.05
STUCK_S = 120.0
SAMPLES = 50
"""Of memory, over a whole run."""
CACHE_MB = 16
"""Of the stage `memory`: a million ids, so that a run of a few millions is many times as long as what is held."""
MEMORY_EVENTS = 3
"""So many times the backlog of the stage `aggregate`."""
LEASE_S = "120"
HELD_IDS = 10_000_000
IDS_A_FLUSH = 120_000
PARTITIONS = 12
SPREAD_H = 24
"""Hours over which the events of the stage `memory` came in."""

OUTCOMES = "select sum(stored)::bigint, sum(duplicate)::bigint, sum(dead_lettered)::bigint from ledger"


async def aggregate(site: Site, population: Population, events: int) -> Aggregate:
    """Fill a log with so many events, and let one aggregator work on it until it is empty.

    The first ones, in which users get their ordinals, are filled in and worked on apart.

    Raises RuntimeError when what was appended and what was counted differ.
    """
    return await _work(site, population, events, RECEIVED_PER_S, Settings().dedupe_cache_mb)


async def memory_over_time(site: Site, population: Population, events: int) -> Aggregate:
    """Work on three times the events, of a whole day, with room for a million ids: what memory follows."""
    return await _work(site, population, events * MEMORY_EVENTS, events * MEMORY_EVENTS / (SPREAD_H * 3_600), CACHE_MB)


async def _work(site: Site, population: Population, events: int, received_per_s: float, cache_mb: int) -> Aggregate:
    async with site.database("aggregate", population.tenants) as database:
        traffic = [Traffic(population, number) for number in range(population.tenants)]
        steady = events - int(events * WARM_UP)
        # Every user has an ordinal by then: they come one after another, each with a use.
        warming = max(events - steady, population.users * sum(FAMILIES.values()) // FAMILIES["usage"])
        first = await fill(database, population, warming, received_per_s=received_per_s, traffic=traffic)
        connection = await asyncpg.connect(database.url)
        try:
            await connection.execute("vacuum analyze log_record")
            await connection.execute("checkpoint")
            settings = {"flush_events": str(_flush_events(events)), "dedupe_cache_mb": str(cache_mb), "lease_s": LEASE_S}
            async with running(site, "aggregate", database, settings) as role:
                began = await mark(site, connection, [role])
                held: list[Holding] = []
                # Nothing is under way at either mark: a batch that is prepared while one commits would be paid for before it.
                warm = await _until(connection, site, role, first[0], events, began, held)
                # It must meet a backlog, and remember its users: so it stands still meanwhile, its leases outlasting that.
                os.kill(role.pid, signal.SIGSTOP)
                rest = await fill(database, population, steady, received_per_s=received_per_s, traffic=traffic)
                os.kill(role.pid, signal.SIGCONT)
                appended, repeated = first[0] + rest[0], first[1] + rest[1]
                done = await _until(connection, site, role, appended, events, began, held)
                peak, metrics = memory(role.pid).peak, await role.metrics()
            stored, duplicate, dead = (await connection.fetch(OUTCOMES))[0]
        finally:
            await connection.close()
    if (stored, duplicate, dead) != (appended - repeated, repeated, 0):
        raise RuntimeError(
            f"{appended} events were appended, {repeated} of them twice; {stored} are stored, {duplicate} duplicate, {dead} dead"
        )
    worked, seconds = done.events - warm.events, done.at_s - warm.at_s
    used_us = done.us_since(warm, worked)
    ids = int(metrics["tidegauge_dedupe_cached_ids"])
    return Aggregate(
        events=appended,
        warm_up_events=warm.events,
        warm_up_seconds=warm.at_s - began.at_s,
        seconds=seconds,
        events_per_s=worked / seconds,
        events_per_cpu_s=1e6 / used_us["aggregate"],
        cpu_us=used_us,
        wal_bytes=(done.wal - warm.wal) / worked,
        peak_mb=peak / 1e6,
        flushes=int(metrics["tidegauge_flush_events_count"]),
        duplicates=repeated,
        ids=ids,
        bytes_an_id=_bytes_an_id(),
        memory=held,
        cache_mb=cache_mb,
    )


def _bytes_an_id() -> float:
    """What an id takes that is held: by how much this process grows with ten million of them, stored a flush at a time."""
    seen, buckets = SeenIds(max_bytes=HELD_IDS * 64), [Bucket(partition, 0) for partition in range(PARTITIONS)]
    seen.add(buckets, {})
    before, random = memory(os.getpid()).resident, np.random.default_rng(1)
    for batch in range(HELD_IDS // IDS_A_FLUSH):
        seen.pin(batch, buckets)
        for bucket in buckets:
            halves = random.integers(0, 1 << 64, (2, IDS_A_FLUSH // PARTITIONS), dtype=np.uint64)
            seen.stage(batch, bucket, np.sort(halves[0]), halves[1])
        seen.commit(batch)
    trim()
    return (memory(os.getpid()).resident - before) / HELD_IDS


def _flush_events(events: int) -> int:
    """As the settings have it, but fewer where so many would leave nothing after the warm-up."""
    return min(Settings().flush_events, max(FEWEST_IN_A_FLUSH, events // FLUSHES))


async def _until(
    connection: asyncpg.Connection, site: Site, role: Role, events: int, all_events: int, began: Marks, held: list[Holding]
) -> Marks:
    """The marks at the first moment when so many events were consumed, and memory on the way; raises RuntimeError."""
    loop = asyncio.get_running_loop()
    last, moved_s = -1, loop.time()
    while True:
        now = await consumed(connection)
        # What a worker does once its last batch is committed belongs to it as well: it keeps the users that it brought.
        if now >= events and (await role.metrics())["tidegauge_flush_events_sum"] >= events:
            held.append(await _holding(role, began, now))
            return await mark(site, connection, [role])
        if now - (held[-1].events if held else 0) >= all_events / SAMPLES:
            held.append(await _holding(role, began, now))
        if now != last:
            last, moved_s = now, loop.time()
        elif loop.time() - moved_s > STUCK_S:
            raise RuntimeError(f"the aggregator has stood at {now} events for {STUCK_S:g} s: {role.said()}")
        await asyncio.sleep(POLL_S)


async def _holding(role: Role, began: Marks, events: int) -> Holding:
    metrics = await role.metrics()
    return Holding(
        at_s=asyncio.get_running_loop().time() - began.at_s,
        events=events,
        resident_mb=memory(role.pid).resident / 1e6,
        ids=int(metrics["tidegauge_dedupe_cached_ids"]),
        ids_mb=metrics["tidegauge_dedupe_cached_bytes"] / 1e6,
    )
