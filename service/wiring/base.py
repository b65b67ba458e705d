"""What every role stands on: settings, clock, log, pools and registry are made here and passed in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import asyncpg
import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from service.catalog import Catalog
from service.catalog.guests import load_catalog
from service.clock import SECOND, Clock, SystemClock
from service.domain.identity import IdHasher
from service.errors import LogUnavailable, StoreUnavailable
from service.eventlog.opening import log_kind, open_log
from service.eventlog.port import EventLog
from service.expose import process, readiness
from service.expose.process import Check
from service.http.app import create_app
from service.http.server import listen, serve
from service.ingest.append import Appender
from service.ingest.backlog import LogBacklog
from service.ingest.batch import Limits
from service.ingest.decode import Decoder
from service.settings import Settings
from service.store.engine import FAILURES, Prepared, create_pool, describe
from service.store.installation import Installation, ensure_installation
from service.store.schema import check_schema
from service.telemetry import Telemetry

LOG_PATIENCE_S = 60.0
"""How long a start waits for a log that does not answer."""
WRITERS = frozenset({"aggregate", "evaluate"})
"""Roles that write what migrations move."""
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
    settings: Settings,
    url: str,
    *,
    role: str,
    connections: int,
    session: Mapping[str, str] = MappingProxyType({}),
    prepared: Prepared | None = None,
) -> AsyncIterator[Base]:
    """Connect, compare with the installation, open the log; `session` and `prepared` as `create_pool` has them."""
    clock, telemetry = SystemClock(), Telemetry(role)
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(_pool(url, connections, telemetry, "general", session, prepared))
        async with pool.acquire() as connection:
            await check_schema(connection, writes=role in WRITERS and not settings.allow_newer_schema)
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
    url: str,
    connections: int,
    telemetry: Telemetry,
    name: str,
    session: Mapping[str, str] = MappingProxyType({}),
    prepared: Prepared | None = None,
) -> AsyncIterator[asyncpg.Pool]:
    try:
        pool = await create_pool(url, max_size=connections, session=session, prepared=prepared)
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


async def catalog_for(made: Base) -> Catalog:
    """The KPIs of this installation; files that are none are counted, and the others go on."""
    async with made.pool.acquire() as connection:
        catalog = await load_catalog(connection, made.settings.kpi_directory)
    made.telemetry.kpis_refused.set(len(catalog.refused))
    return catalog


def own_checks(made: Base) -> dict[str, Check]:
    """What any role needs to be ready."""
    return {"database": readiness.database(made.pool), "log": readiness.event_log(made.event_log)}


@contextlib.asynccontextmanager
async def operations(made: Base, role: str, checks: dict[str, Check]) -> AsyncIterator[None]:
    """/healthz, /readyz and /metrics of a role that has no API."""
    routers = [process.router(made.telemetry.registry, role=role, checks=own_checks(made) | checks, siblings={})]
    app = create_app(title=f"tidegauge {role}", routers=routers, telemetry=made.telemetry)
    listening = listen(made.settings.host, made.settings.ops_port, setting="TIDEGAUGE_OPS_PORT")
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(app, listening, stop), name="operations")
    try:
        yield
    finally:
        stop.set()
        await serving
