"""Stages of the door: batches, and single events, over HTTP to durable in the log."""

from dataclasses import dataclass

import asyncpg

from loadtests.client import plan_of, sending
from loadtests.marks import mark
from loadtests.plan import Http, Outcome
from loadtests.results import CpuUs, Ingest, Singles
from loadtests.role import Role, running
from loadtests.site import Database, Site
from loadtests.traffic import Population

USAGE = frozenset({"usage"})
BATCH_EVENTS = 500
BATCH_CONNECTIONS = 4
SINGLE_CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a plan cost, warm-up excluded."""

    outcome: Outcome
    cpu_us: CpuUs
    """A request or an event, whichever the plan counts."""
    wal_bytes: int


async def door(site: Site, population: Population, seconds: float) -> tuple[Ingest, Singles]:
    """Batches of 500 usage events on few connections; single ones as fast as they go, then at half of that rate."""
    async with site.database("door", population.tenants) as database, running(site, "api", database) as api:
        batches = await _send(site, population, api, database, seconds, BATCH_EVENTS, BATCH_CONNECTIONS)
        peak = await _send(site, population, api, database, seconds / 2, 1, SINGLE_CONNECTIONS)
        rate = peak.outcome.requests / peak.outcome.seconds
        half = await _send(site, population, api, database, seconds / 2, 1, SINGLE_CONNECTIONS, requests_per_s=rate / 2)
    return _ingest(batches), _singles(peak, half)


def _ingest(sent: _Sent) -> Ingest:
    outcome = sent.outcome
    return Ingest(
        events=outcome.events,
        seconds=outcome.seconds,
        event_bytes=outcome.body_bytes / outcome.events,
        events_per_s=outcome.events / outcome.seconds,
        events_per_api_cpu_s=1e6 / sent.cpu_us["api"],
        cpu_us=sent.cpu_us,
        wal_bytes=sent.wal_bytes / outcome.events,
        p50_ms=outcome.p50_ms,
        p99_ms=outcome.p99_ms,
    )


def _singles(peak: _Sent, half: _Sent) -> Singles:
    return Singles(
        requests_per_s=peak.outcome.requests / peak.outcome.seconds,
        peak_p50_ms=peak.outcome.p50_ms,
        peak_p99_ms=peak.outcome.p99_ms,
        half_requests_per_s=half.outcome.requests / half.outcome.seconds,
        half_p50_ms=half.outcome.p50_ms,
        half_p99_ms=half.outcome.p99_ms,
        cpu_us=peak.cpu_us,
    )


async def _send(
    site: Site,
    population: Population,
    api: Role,
    database: Database,
    seconds: float,
    events: int,
    connections: int,
    *,
    requests_per_s: float | None = None,
) -> _Sent:
    plan = plan_of(
        population,
        to=Http(port=api.port, keys=list(database.write_keys)),
        seconds=seconds,
        events_a_request=events,
        connections=connections,
        requests_per_s=requests_per_s,
        families=USAGE,
    )
    connection = await asyncpg.connect(database.url)
    try:
        async with sending(plan) as client:
            await client.begun()
            began = await mark(site, connection, [api])
            outcome = await client.outcome()
            ended = await mark(site, connection, [api])
    finally:
        await connection.close()
    used = ended.us_since(began, outcome.events) | {"client": outcome.cpu_s * 1e6 / outcome.events}
    return _Sent(outcome, used, ended.wal - began.wal)
