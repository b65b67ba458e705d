"""The aggregator's stage: a backlog in the log is turned into committed rollups."""

import asyncio
from dataclasses import dataclass

import asyncpg
import httpx
from prometheus_client.parser import text_string_to_metric_families

from loadtests.ingest import wal_position
from loadtests.processes import Memory, cpu_s, memory
from loadtests.results import Aggregate
from loadtests.site import Database, Role, Site
from loadtests.traffic import Population, Traffic
from service.clock import SECOND, SystemClock
from service.domain.identity import IdHasher
from service.eventlog.postgres import PostgresLog
from service.ingest.append import Appender
from service.ingest.batch import Form, Limits, Stamp
from service.ingest.decode import Decoder
from service.settings import Settings
from service.store.engine import create_pool
from service.telemetry import Telemetry

EVENTS_A_REQUEST = 500
REQUESTS_AT_ONCE = 4
"""Gathered into one append: records of 500 events over 4 partitions."""
RECEIVED_PER_S = 25_000
"""How fast the backlog came in, by its own times."""
REPEATED = 0.01
"""The share of requests that a client sent twice."""
WARM_UP = 0.3
FLUSHES = 8
"""At least so many in a run."""
FEWEST_IN_A_FLUSH = 100
POLL_S = 0.05
STUCK_S = 60.0

CONSUMED = "select sum(events)::bigint from partition_progress"
OUTCOMES = "select sum(stored)::bigint, sum(duplicate)::bigint, sum(dead_lettered)::bigint from ledger"


@dataclass(frozen=True, slots=True)
class _Mark:
    """Everything that is counted, at one moment."""

    at_s: float
    events: int
    aggregator_s: float
    postgres_s: float
    wal: int


async def aggregate(site: Site, population: Population, events: int) -> Aggregate:
    """Fill a log with so many events, then let one aggregator work on it until it is empty.

    Raises RuntimeError when what was appended and what was counted differ.
    """
    async with site.database("aggregate", population.tenants) as database:
        appended, repeated = await fill(database, population, events)
        connection = await asyncpg.connect(database.url)
        try:
            await connection.execute("vacuum analyze log_record")
            await connection.execute("checkpoint")
            async with site.role("aggregate", database.url, {"flush_events": str(_flush_events(appended))}) as role:
                began_s = asyncio.get_running_loop().time()
                warm = await _until(connection, site, role, int(appended * WARM_UP))
                done = await _until(connection, site, role, appended)
                used, metrics = memory(role.pid), await _metrics(role)
            stored, duplicate, dead = (await connection.fetch(OUTCOMES))[0]
        finally:
            await connection.close()
    if (stored, duplicate, dead) != (appended - repeated, repeated, 0):
        raise RuntimeError(
            f"{appended} events were appended, {repeated} of them twice; {stored} are stored, {duplicate} duplicate, {dead} dead"
        )
    return _result(appended, repeated, began_s, warm, done, used, metrics)


def _flush_events(events: int) -> int:
    """As the settings have it, but fewer where so many would leave nothing after the warm-up."""
    return min(Settings().flush_events, max(FEWEST_IN_A_FLUSH, events // FLUSHES))


def _result(
    appended: int, repeated: int, began_s: float, warm: _Mark, done: _Mark, used: Memory, metrics: dict[str, float]
) -> Aggregate:
    steady, seconds = done.events - warm.events, done.at_s - warm.at_s
    own_s, postgres_s = done.aggregator_s - warm.aggregator_s, done.postgres_s - warm.postgres_s
    ids = int(metrics["tidegauge_dedupe_cached_ids"])
    return Aggregate(
        events=appended,
        warm_up_events=warm.events,
        warm_up_seconds=warm.at_s - began_s,
        seconds=seconds,
        events_per_s=steady / seconds,
        events_per_cpu_s=steady / own_s,
        aggregator_us=own_s * 1e6 / steady,
        postgres_us=postgres_s * 1e6 / steady,
        wal_bytes=(done.wal - warm.wal) / steady,
        resident_mb=used.resident / 1e6,
        peak_mb=used.peak / 1e6,
        flushes=int(metrics["tidegauge_flush_events_count"]),
        duplicates=repeated,
        ids=ids,
        bytes_an_id=metrics["tidegauge_dedupe_cached_bytes"] / max(1, ids),
    )


async def fill(database: Database, population: Population, events: int) -> tuple[int, int]:
    """Append events as the door does, but for HTTP; returns how many, and how many of these are copies."""
    settings, clock = Settings(), SystemClock()
    limits = Limits(10_000, 256_000, 32, database.installation.max_lateness_s * SECOND, settings.max_skew_s * SECOND)
    decoder = Decoder(IdHasher(database.installation.hash_key), limits)
    traffic = [Traffic(population, number) for number in range(population.tenants)]
    requests = max(1, events // EVENTS_A_REQUEST)
    starts_us = clock.now_us() - requests * EVENTS_A_REQUEST * SECOND // RECEIVED_PER_S
    every = round(1 / REPEATED)
    repeated = 0
    async with await create_pool(database.url, max_size=4) as pool:
        installation = database.installation
        log = await PostgresLog.open(pool, generation=installation.generation, partitions=installation.partitions, clock=clock)
        appender = Appender(log, Telemetry("bench"), gather_ms=100.0, backlog_events=settings.append_backlog_events)
        appending = asyncio.create_task(appender.run())
        try:
            for first in range(0, requests, REQUESTS_AT_ONCE):
                waiting = []
                for number in range(first, min(first + REQUESTS_AT_ONCE, requests)):
                    tenant = number % population.tenants
                    now_us = starts_us + number * EVENTS_A_REQUEST * SECOND // RECEIVED_PER_S
                    body = traffic[tenant].body(EVENTS_A_REQUEST, now_us)
                    stamp = Stamp(database.tenants[tenant], now_us, backfill=False)
                    waiting.append(decoder.decode(body, Form.ARRAY, stamp).rows)
                    if number % every == 0:
                        waiting.append(waiting[-1])
                        repeated += EVENTS_A_REQUEST
                async with asyncio.TaskGroup() as group:
                    for rows in waiting:
                        group.create_task(appender.append(rows))
        finally:
            appending.cancel()
            await asyncio.gather(appending, return_exceptions=True)
    return requests * EVENTS_A_REQUEST + repeated, repeated


async def _until(connection: asyncpg.Connection, site: Site, role: Role, events: int) -> _Mark:
    """The marks at the first moment when so many events were consumed; raises RuntimeError when nothing moves."""
    loop = asyncio.get_running_loop()
    consumed, moved_s = -1, loop.time()
    while True:
        now: int = await connection.fetchval(CONSUMED)
        if now >= events:
            return _Mark(loop.time(), now, cpu_s(role.pid), site.postgres_cpu_s(), await wal_position(connection))
        if now != consumed:
            consumed, moved_s = now, loop.time()
        elif loop.time() - moved_s > STUCK_S:
            raise RuntimeError(f"the aggregator has stood at {now} events for {STUCK_S:g} s: {role.log.read_text()[-2_000:]}")
        await asyncio.sleep(POLL_S)


async def _metrics(role: Role) -> dict[str, float]:
    """The role's metrics that have no labels."""
    async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
        text = (await client.get(f"{role.address}/metrics")).text
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.labels
    }
