"""Filling a log with events as the door does, but for HTTP."""

import asyncio
from collections.abc import Sequence

from loadtests.site import Database, settings_of
from loadtests.traffic import Population, Traffic
from service.clock import SECOND, SystemClock
from service.domain.identity import IdHasher
from service.ingest.append import Appender
from service.ingest.batch import Form, Limits, Stamp
from service.ingest.decode import Decoder
from service.telemetry import Telemetry

EVENTS_A_REQUEST = 500
REQUESTS_AT_ONCE = 4
"""Gathered into one append."""
RECEIVED_PER_S = 25_000
"""How fast a backlog came in, by its own times, where nothing else is asked for."""
REPEATED = 0.01
"""The share of requests that a client sent twice."""


async def fill(
    database: Database,
    population: Population,
    events: int,
    *,
    received_per_s: float = RECEIVED_PER_S,
    events_a_request: int = EVENTS_A_REQUEST,
    traffic: Sequence[Traffic] | None = None,
) -> tuple[int, int]:
    """Append events whose last one came in just now; returns how many, and how many of these are copies.

    `traffic` is that of the tenants, one each, where it is to go on from what it has made already.
    """
    settings, clock = settings_of(database.settings), SystemClock()
    limits = Limits(10_000, 256_000, 32, database.installation.max_lateness_s * SECOND, settings.max_skew_s * SECOND)
    decoder = Decoder(IdHasher(database.installation.hash_key), limits)
    traffic = traffic or [Traffic(population, number) for number in range(population.tenants)]
    requests = max(1, events // events_a_request)
    request_us = events_a_request * SECOND / received_per_s
    starts_us = clock.now_us() - int(requests * request_us)
    every = round(1 / REPEATED)
    repeated = 0
    async with database.opened_log() as log:
        appender = Appender(log, Telemetry("bench"), gather_ms=100.0, backlog_events=settings.append_backlog_events)
        appending = asyncio.create_task(appender.run())
        try:
            for first in range(0, requests, REQUESTS_AT_ONCE):
                waiting = []
                for number in range(first, min(first + REQUESTS_AT_ONCE, requests)):
                    tenant = number % population.tenants
                    now_us = starts_us + int(number * request_us)
                    body = traffic[tenant].body(events_a_request, now_us)
                    stamp = Stamp(database.tenants[tenant], now_us, backfill=False)
                    waiting.append(decoder.decode(body, Form.ARRAY, stamp))
                    if number % every == 0:
                        waiting.append(waiting[-1])
                        repeated += events_a_request
                async with asyncio.TaskGroup() as group:
                    for batch in waiting:
                        group.create_task(appender.append(batch.rows, batch.packed))
        finally:
            appending.cancel()
            await asyncio.gather(appending, return_exceptions=True)
    return requests * events_a_request + repeated, repeated
