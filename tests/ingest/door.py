"""The whole door for tests: a real server before a real log in Postgres, with a key for each scope."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import httpx

from service.clock import DAY, SECOND, SystemClock
from service.domain.families.rows import RejectedRow, Row
from service.domain.identity import IdHasher
from service.domain.ids import Offset, Partition
from service.eventlog.codec import FAMILIES, decode
from service.eventlog.postgres import PostgresLog
from service.http.app import create_app
from service.http.auth import Keyring
from service.http.bodies import BodyReader
from service.ingest.append import Appender
from service.ingest.backlog import LogBacklog
from service.ingest.decode import Decoder, Limits
from service.ingest.hooks import routes as hooks
from service.ingest.routes import router
from service.settings import Settings
from service.store.engine import create_pool
from service.store.installation import ensure_installation
from service.store.keys import create_key
from service.store.tenants import Tenant, create_tenant
from service.telemetry import Telemetry
from tests.http.serving import serving

PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Door:
    """An address, its keys by name, and what lies behind it."""

    address: str
    client: httpx.AsyncClient
    keys: dict[str, str]
    tenant: Tenant
    pool: asyncpg.Pool
    log: PostgresLog
    telemetry: Telemetry
    backlog: LogBacklog

    async def logged(self) -> dict[str, list[Row | RejectedRow]]:
        """Every row in the log, by family."""
        positions = {Partition(number): Offset(0) for number in range(self.log.partitions)}
        found: dict[str, list[Row | RejectedRow]] = {}
        while stored := await self.log.read(positions, max_bytes=10_000_000, wait_s=0):
            for record in stored:
                positions[record.partition] = Offset(record.offset + 1)
                content = decode(record.payload)
                for family in FAMILIES:
                    found.setdefault(family, []).extend(getattr(content, family))
        return {family: rows for family, rows in found.items() if rows}

    async def ids(self) -> list[str]:
        """The ids of all accepted events in the log, sorted."""
        return sorted(row.id for family, rows in (await self.logged()).items() if family != "rejected" for row in rows)

    async def refused(self) -> list[RejectedRow]:
        """The rejected events in the log."""
        return [row for row in (await self.logged()).get("rejected", []) if isinstance(row, RejectedRow)]


@contextlib.asynccontextmanager
async def opened(database_url: str, settings: Settings) -> AsyncIterator[Door]:
    """Everything from the socket to the log."""
    clock, telemetry = SystemClock(), Telemetry("test")
    pool = await create_pool(database_url, max_size=4)
    async with pool.acquire() as connection:
        installation = await ensure_installation(connection, settings, log_kind="postgres")
        tenant = await create_tenant(connection, "pilot", "UTC")
        scopes = {"ingest": ["ingest"], "backfill": ["ingest", "backfill"], "read": ["read"]}
        keys = {name: (await create_key(connection, tenant, wanted, name))[1] for name, wanted in scopes.items()}
    log = await PostgresLog.open(pool, generation=installation.generation, partitions=installation.partitions, clock=clock)
    appender = Appender(log, telemetry, gather_ms=settings.gather_ms, backlog_events=settings.append_backlog_events)
    limits = Limits(
        max_request_events=settings.max_request_events,
        max_event_bytes=settings.max_event_bytes,
        max_depth=settings.max_depth,
        max_lateness_us=settings.max_lateness_days * DAY,
        max_skew_us=settings.max_skew_s * SECOND,
    )
    keyring = Keyring(pool, clock, refresh_s=settings.key_refresh_s)
    decoder = Decoder(IdHasher(installation.hash_key), limits)
    backlog = LogBacklog(log, pool, telemetry, most=settings.max_log_backlog_events)
    routes = router(
        keyring=keyring,
        decoder=decoder,
        backlog=backlog,
        appender=appender,
        clock=clock,
        telemetry=telemetry,
        settings=settings,
    )
    hooked = hooks.HookDoor(
        keyring,
        BodyReader(max_bytes=hooks.MAX_BODY_BYTES, max_held_bytes=hooks.MAX_HELD_BYTES),
        decoder,
        backlog,
        appender,
        clock,
        telemetry,
        hooks.secrets_of(settings.pagerduty_secrets.get_secret_value()),
    )
    app = create_app(title="tidegauge", routers=[routes, hooks.router(hooked)], telemetry=telemetry, keyring=keyring)
    running = asyncio.create_task(appender.run())
    authorization = {"Authorization": f"Bearer {keys['ingest']}"}
    try:
        async with (
            serving(app) as address,
            httpx.AsyncClient(base_url=address, headers=authorization, timeout=PATIENCE_S) as client,
        ):
            yield Door(address, client, keys, tenant, pool, log, telemetry, backlog)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await pool.close()
