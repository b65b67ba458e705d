"""Stages of the door: batches, and single events, over HTTP to durable in the Postgres log."""

from dataclasses import dataclass

import asyncpg

from loadtests.client import plan_of, sending
from loadtests.http_client import Outcome
from loadtests.processes import cpu_s
from loadtests.results import Ingest, Singles
from loadtests.site import Database, Role, Site
from loadtests.traffic import Population

USAGE = frozenset({"usage"})
BATCH_EVENTS = 500
BATCH_CONNECTIONS = 4
SINGLE_CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a plan cost, warm-up excluded."""

    outcome: Outcome
    api_s: float
    postgres_s: float
    wal_bytes: int


async def door(site: Site, population: Population, seconds: float) -> tuple[Ingest, Singles]:
    """Batches of 500 usage events on few connections; single ones as fast as they go, then at half of that rate."""
    async with site.database("door", population.tenants) as database, site.role("api", database.url) as api:
        batches = await _send(site, population, api, database, seconds, BATCH_EVENTS, BATCH_CONNECTIONS)
        peak = await _send(site, population, api, database, seconds / 2, 1, SINGLE_CONNECTIONS)
        rate = peak.outcome.requests / peak.outcome.seconds
        half = await _send(site, population, api, database, seconds / 2, 1, SINGLE_CONNECTIONS, requests_per_s=rate / 2)
    return _ingest(batches), _singles(peak, half)


def _ingest(sent: _Sent) -> Ingest:
    outcome = sent.outcome
    a_million = 1e6 / outcome.events
    return Ingest(
        events=outcome.events,
        seconds=outcome.seconds,
        event_bytes=outcome.body_bytes / outcome.events,
        events_per_s=outcome.events / outcome.seconds,
        events_per_api_cpu_s=outcome.events / sent.api_s,
        api_us=sent.api_s * a_million,
        postgres_us=sent.postgres_s * a_million,
        client_us=outcome.cpu_s * a_million,
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
        api_us=peak.api_s * 1e6 / peak.outcome.requests,
        postgres_us=peak.postgres_s * 1e6 / peak.outcome.requests,
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
        port=api.port,
        keys=database.write_keys,
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
            api_s, postgres_s, wal = cpu_s(api.pid), site.postgres_cpu_s(), await wal_position(connection)
            outcome = await client.outcome()
            return _Sent(
                outcome, cpu_s(api.pid) - api_s, site.postgres_cpu_s() - postgres_s, await wal_position(connection) - wal
            )
    finally:
        await connection.close()


async def wal_position(connection: asyncpg.Connection) -> int:
    """Bytes of WAL ever written."""
    position: int = await connection.fetchval("select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
    return position
