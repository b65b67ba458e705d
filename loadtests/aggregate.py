"""The aggregator's stages: a backlog in the log is turned into committed rollups; its memory while it does."""

import asyncio

import asyncpg

from loadtests.backlog import RECEIVED_PER_S, fill
from loadtests.marks import Marks, consumed, mark
from loadtests.processes import memory
from loadtests.results import Aggregate, Holding
from loadtests.role import Role, running
from loadtests.site import Site
from loadtests.traffic import Population
from service.settings import Settings

WARM_UP = 0.3
FLUSHES = 8
"""At least so many in a run."""
FEWEST_IN_A_FLUSH = 100
POLL_S = 0.05
STUCK_S = 60.0
SAMPLES = 50
"""Of memory, over a whole run."""
CACHE_MB = 16
"""Of the stage `memory`: a million ids, so that a run of a few millions is many times as long as what is held."""
MEMORY_EVENTS = 3
"""So many times the backlog of the stage `aggregate`."""
SPREAD_H = 24
"""Hours over which the events of the stage `memory` came in."""

OUTCOMES = "select sum(stored)::bigint, sum(duplicate)::bigint, sum(dead_lettered)::bigint from ledger"


async def aggregate(site: Site, population: Population, events: int) -> Aggregate:
    """Fill a log with so many events, then let one aggregator work on it until it is empty.

    Raises RuntimeError when what was appended and what was counted differ.
    """
    return await _work(site, population, events, RECEIVED_PER_S, Settings().dedupe_cache_mb)


async def memory_over_time(site: Site, population: Population, events: int) -> Aggregate:
    """Work on three times the events, of a whole day, with room for a million ids: what memory follows."""
    return await _work(site, population, events * MEMORY_EVENTS, events * MEMORY_EVENTS / (SPREAD_H * 3_600), CACHE_MB)


async def _work(site: Site, population: Population, events: int, received_per_s: float, cache_mb: int) -> Aggregate:
    async with site.database("aggregate", population.tenants) as database:
        appended, repeated = await fill(database, population, events, received_per_s=received_per_s)
        connection = await asyncpg.connect(database.url)
        try:
            await connection.execute("vacuum analyze log_record")
            await connection.execute("checkpoint")
            settings = {"flush_events": str(_flush_events(appended)), "dedupe_cache_mb": str(cache_mb)}
            async with running(site, "aggregate", database, settings) as role:
                began = await mark(site, connection, [role])
                held: list[Holding] = []
                warm = await _until(connection, site, role, int(appended * WARM_UP), appended, began, held)
                done = await _until(connection, site, role, appended, appended, began, held)
                peak, metrics = memory(role.pid).peak, await role.metrics()
            stored, duplicate, dead = (await connection.fetch(OUTCOMES))[0]
        finally:
            await connection.close()
    if (stored, duplicate, dead) != (appended - repeated, repeated, 0):
        raise RuntimeError(
            f"{appended} events were appended, {repeated} of them twice; {stored} are stored, {duplicate} duplicate, {dead} dead"
        )
    steady, seconds = done.events - warm.events, done.at_s - warm.at_s
    used_us = done.us_since(warm, steady)
    ids = int(metrics["tidegauge_dedupe_cached_ids"])
    return Aggregate(
        events=appended,
        warm_up_events=warm.events,
        warm_up_seconds=warm.at_s - began.at_s,
        seconds=seconds,
        events_per_s=steady / seconds,
        events_per_cpu_s=1e6 / used_us["aggregate"],
        cpu_us=used_us,
        wal_bytes=(done.wal - warm.wal) / steady,
        peak_mb=peak / 1e6,
        flushes=int(metrics["tidegauge_flush_events_count"]),
        duplicates=repeated,
        ids=ids,
        bytes_an_id=metrics["tidegauge_dedupe_cached_bytes"] / max(1, ids),
        memory=held,
        cache_mb=cache_mb,
    )


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
        if now >= events:
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
