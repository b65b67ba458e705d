"""Where everything is built: settings, clock, log, pools and registry are made here and passed in."""

import asyncio
import contextlib
import functools
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import asyncpg
import structlog
from fastapi import FastAPI
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from service.catalog import Catalog
from service.catalog.guests import load_catalog
from service.clock import SECOND, Clock, SystemClock
from service.domain.identity import IdHasher
from service.errors import LogUnavailable, StoreUnavailable
from service.evaluate.evaluator import Evaluator
from service.evaluate.upkeep import Upkeep
from service.eventlog.balance import LogCounts
from service.eventlog.opening import POSTGRES, log_kind, open_log
from service.eventlog.port import EventLog
from service.expose import configuration, customers, live, process, readiness, reading, records
from service.expose.process import Check
from service.following import follow, until_stopped_or_moved
from service.http.app import create_app
from service.http.auth import Keyring
from service.http.server import listen, serve
from service.ingest import routes as ingest
from service.ingest.append import Appender
from service.ingest.backlog import LogBacklog
from service.ingest.batch import Limits
from service.ingest.decode import Decoder
from service.lifecycle import cancel
from service.settings import Settings
from service.store.engine import FAILURES, QUERIES, create_pool, describe
from service.store.installation import Installation, ensure_installation
from service.store.partitions import ensure_partitions
from service.telemetry import Telemetry

API_CONNECTIONS = 8
ROLE_CONNECTIONS = 8
LOG_PATIENCE_S = 60.0
"""How long a start waits for a log that does not answer."""
LOG_CONNECTIONS = 4
"""Connections of the log's own, so that a slow query delays no append."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Base:
    """What every role stands on."""

    settings: Settings
    clock: Clock
    telemetry: Telemetry
    pool: asyncpg.Pool
    installation: Installation
    event_log: EventLog


@contextlib.asynccontextmanager
async def base(
    settings: Settings, url: str, *, role: str, connections: int, session: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[Base]:
    """Connect, compare with the installation, open the log."""
    clock, telemetry = SystemClock(), Telemetry(role)
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(_pool(url, connections, telemetry, "general", session=session))
        async with pool.acquire() as connection:
            installation = await ensure_installation(connection, settings, log_kind=log_kind(settings))
        log_pool = await stack.enter_async_context(_pool(url, LOG_CONNECTIONS, telemetry, "log"))
        event_log = await _opened_log(settings, log_pool, installation, clock)
        stack.push_async_callback(event_log.close)
        log.info("role_starts", role=role, database=describe(url), partitions=installation.partitions)
        yield Base(settings, clock, telemetry, pool, installation, event_log)
    log.info("role_stopped", role=role)


async def _opened_log(settings: Settings, pool: asyncpg.Pool, installation: Installation, clock: Clock) -> EventLog:
    """The log, waited for: brokers start more slowly than we do, and one that comes back needs no restart of ours."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(LogUnavailable),
        stop=stop_after_delay(LOG_PATIENCE_S),
        wait=wait_exponential_jitter(multiplier=0.2, max=5.0),
        before_sleep=lambda state: log.warning("log_awaited", error=str(state.outcome and state.outcome.exception())),
        reraise=True,
    ):
        with attempt:
            return await open_log(
                settings,
                pool,
                generation=installation.generation,
                partitions=installation.partitions,
                clock=clock,
                kind=installation.log_kind,
            )
    raise AssertionError("an attempt returns or raises")


@contextlib.asynccontextmanager
async def _pool(
    url: str, connections: int, telemetry: Telemetry, name: str, session: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[asyncpg.Pool]:
    try:
        pool = await create_pool(url, max_size=connections, session=session)
    except FAILURES as error:
        raise StoreUnavailable(f"{describe(url)} does not answer: {str(error) or type(error).__name__}") from error
    telemetry.watch_pool(name, limit=pool.get_max_size, size=pool.get_size, idle=pool.get_idle_size)
    try:
        yield pool
    finally:
        await pool.close()


def decoder(made: Base) -> Decoder:
    """The contract's decoder under this installation's key and limits."""
    limits = Limits(
        max_request_events=made.settings.max_request_events,
        max_event_bytes=made.settings.max_event_bytes,
        max_depth=made.settings.max_depth,
        max_lateness_us=made.installation.max_lateness_s * SECOND,
        max_skew_us=made.settings.max_skew_s * SECOND,
    )
    return Decoder(IdHasher(made.installation.hash_key), limits)


def appender(made: Base) -> Appender:
    """The group commit before the log."""
    return Appender(
        made.event_log,
        made.telemetry,
        gather_ms=made.settings.gather_ms,
        backlog_events=made.settings.append_backlog_events,
    )


def backlog(made: Base) -> LogBacklog:
    """The limit on what the log holds unread."""
    return LogBacklog(made.event_log, made.pool, made.telemetry, most=made.settings.max_log_backlog_events)


async def run_api(settings: Settings, url: str) -> None:
    """The role `api`: takes events in and answers queries until it is asked to stop."""
    with contextlib.ExitStack() as kept:
        # Opened once: between two generations of the log, clients wait for an answer and are not refused.
        listening = functools.cache(lambda: kept.enter_context(listen(settings.host, settings.port, setting="TIDEGAUGE_PORT")))
        await follow(lambda current: _api_on(current, url, listening), settings)


async def _api_on(settings: Settings, url: str, listening: Callable[[], socket.socket]) -> Installation | None:
    async with base(settings, url, role="api", connections=API_CONNECTIONS, session=QUERIES) as made:
        door, waiting = appender(made), backlog(made)
        appending = asyncio.create_task(door.run(), name="appender")
        looking = asyncio.create_task(waiting.keep(), name="backlog")
        try:
            catalog = await catalog_for(made)
            checks = {"appender": readiness.appender(appending, waiting.check), "kpis": readiness.kpis(catalog.refused)}
            app = api(made, catalog, door, waiting, _checks(made) | checks)
            async with until_stopped_or_moved(made.pool, made.installation) as ending:
                # Without its appender the door would take requests that it never answers.
                appending.add_done_callback(lambda _: ending.stop.set())
                await serve(app, listening().dup(), ending.stop)
            if appending.done():
                appending.result()
            await door.drain()
        finally:
            await cancel([appending, looking])
    return ending.next


async def catalog_for(made: Base) -> Catalog:
    """The KPIs of this installation; files that are none are counted, and the others go on."""
    async with made.pool.acquire() as connection:
        catalog = await load_catalog(connection, made.settings.kpi_directory)
    made.telemetry.kpis_refused.set(len(catalog.refused))
    return catalog


def api(made: Base, catalog: Catalog, door: Appender, waiting: LogBacklog, checks: Mapping[str, Check]) -> FastAPI:
    """Every route of the API."""
    settings = made.settings
    keyring = Keyring(made.pool, made.clock, refresh_s=settings.key_refresh_s)
    routers = [
        ingest.router(
            keyring=keyring,
            decoder=decoder(made),
            backlog=waiting,
            appender=door,
            clock=made.clock,
            telemetry=made.telemetry,
            settings=settings,
        ),
        *reading.routers(made.pool, catalog, clock=made.clock, settings=settings),
        records.router(made.pool, clock=made.clock, installation=made.installation, counts=_counts(made)),
        customers.router(made.pool, clock=made.clock),
        configuration.router(made.pool, catalog, clock=made.clock, settings=settings),
        live.router(made.pool, catalog, clock=made.clock, max_series=settings.metrics_max_series),
        process.router(made.telemetry.registry, role="api", checks=checks, siblings=process.siblings_from(settings.siblings)),
    ]
    return create_app(title="tidegauge", routers=routers, telemetry=made.telemetry, keyring=keyring)


async def run_aggregate(settings: Settings, url: str) -> None:
    """The role `aggregate`: turns the log into rollups until it is asked to stop."""
    await follow(lambda current: _aggregate_on(current, url), settings)


async def _aggregate_on(settings: Settings, url: str) -> Installation | None:
    async with base(settings, url, role="aggregate", connections=ROLE_CONNECTIONS) as made:
        # Here, because only this role needs what compiles and computes: a third of what the others would have to import.
        from service.aggregate.worker import Worker  # noqa: PLC0415

        worker = Worker(
            log=made.event_log,
            pool=made.pool,
            settings=settings,
            clock=made.clock,
            telemetry=made.telemetry,
            installation=made.installation,
        )
        async with made.pool.acquire() as connection:
            await ensure_partitions(connection, now_us=made.clock.now_us(), settings=settings)
        working = asyncio.create_task(worker.run(alone=True), name="worker")
        generation = made.installation.generation
        checks = {
            "leases": readiness.leases(made.pool, generation, lambda: worker.holding),
            "lag": readiness.lag(made.pool, generation, lambda: worker.holding, made.clock),
            "partitions": readiness.parked(lambda: worker.parked),
        }
        async with operations(made, "aggregate", checks):
            async with until_stopped_or_moved(made.pool, made.installation) as ending:
                await _first(working, ending.stop)
            await worker.stop()
            await working
    return ending.next


async def run_evaluate(settings: Settings, url: str) -> None:
    """The role `evaluate`: keeps live values and the database until it is asked to stop."""
    await follow(lambda current: _evaluate_on(current, url), settings)


async def _evaluate_on(settings: Settings, url: str) -> Installation | None:
    async with base(settings, url, role="evaluate", connections=ROLE_CONNECTIONS, session=QUERIES) as made:
        catalog = await catalog_for(made)
        evaluator = Evaluator(
            pool=made.pool,
            catalog=catalog,
            upkeep=Upkeep(made.pool, made.event_log, made.clock, settings, made.installation),
            clock=made.clock,
            settings=settings,
            installation=made.installation,
            telemetry=made.telemetry,
        )
        checks = {
            "evaluator": readiness.evaluator(made.pool, lambda: evaluator.holds_lease),
            "kpis": readiness.kpis(catalog.refused),
        }
        async with operations(made, "evaluate", checks), until_stopped_or_moved(made.pool, made.installation) as ending:
            await evaluator.run(ending.stop)
    return ending.next


async def _first(working: asyncio.Task[None], stop: asyncio.Event) -> None:
    """Until the stop is asked for, or the work ends by itself (which raises what ended it)."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        working.result()


def _counts(made: Base) -> LogCounts | None:
    """What the ledger cannot find in Postgres."""
    return None if made.installation.log_kind == POSTGRES else LogCounts(made.event_log, from_records=False)


def _checks(made: Base) -> dict[str, Check]:
    return {"database": readiness.database(made.pool), "log": readiness.event_log(made.event_log)}


@contextlib.asynccontextmanager
async def operations(made: Base, role: str, checks: dict[str, Check]) -> AsyncIterator[None]:
    """/healthz, /readyz and /metrics of a role that has no API."""
    routers = [process.router(made.telemetry.registry, role=role, checks=_checks(made) | checks, siblings={})]
    app = create_app(title=f"tidegauge {role}", routers=routers, telemetry=made.telemetry)
    listening = listen(made.settings.host, made.settings.ops_port, setting="TIDEGAUGE_OPS_PORT")
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(app, listening, stop), name="operations")
    try:
        yield
    finally:
        stop.set()
        await serving
