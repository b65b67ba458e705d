"""The pilot week, taken in by the real decoder and folded by the real worker, and reports of it over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import msgspec
import pytest

from service.catalog import Catalog
from service.clock import DAY, SystemClock, to_us
from service.demo import pilot
from service.domain.families.registry import FAMILIES
from service.http.app import create_app
from service.http.auth import Keyring
from service.ingest.decode import Decoder, Form, Limits, Stamp
from service.reports import routes
from service.reports.making import Maker
from service.settings import Settings
from service.store.config import apply_config
from service.store.embedded import EmbeddedPostgres
from service.store.keys import create_key
from service.store.segments import rebuild
from service.store.tenants import Tenant, create_tenant
from service.telemetry import Telemetry
from tests.aggregate.conftest import Site, open_site

MONDAY_AFTER = datetime(2025, 11, 24, 6, 0, tzinfo=UTC)
"""The morning on which the week's report is made."""
LIMITS = Limits(max_request_events=1_000, max_event_bytes=20_000, max_depth=32, max_lateness_us=7 * DAY, max_skew_us=300_000_000)
BATCH = 1_000
SETTINGS = Settings(partitions=4, flush_interval_s=0.01, lease_s=10.0)
_numbers = count()


@dataclass
class SetClock:
    """A clock that a test sets."""

    us: int

    def now_us(self) -> int:
        return self.us


@dataclass
class Told:
    """A tenant whose pilot week is in, and the API of its reports."""

    site: Site
    tenant: Tenant
    maker: Maker
    clock: SetClock
    client: httpx.AsyncClient

    async def get(self, path: str, **parameters: str) -> httpx.Response:
        answer = await self.client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer

    async def declare(self, toml: str) -> None:
        """Store the tenant's first configuration."""
        async with self.site.pool.acquire() as connection:
            shapes = self.maker.catalog.shapes()
            await apply_config(connection, self.tenant.name, toml, now_us=self.clock.us, known_kpis=shapes)

    async def take_in(self, events: list[dict[str, Any]]) -> None:
        """Decode, append and fold events."""
        decoder = Decoder(self.site.hasher, LIMITS)
        stamp = Stamp(tenant=self.tenant.id, received_us=self.site.clock.now_us(), backfill=True)
        for start in range(0, len(events), BATCH):
            body = b"\n".join(msgspec.json.encode(event) for event in events[start : start + BATCH])
            batch = decoder.decode(body, Form.NDJSON, stamp)
            assert batch.rejected == []
            await self.site.take(batch)
        await self.site.consume()
        async with self.site.pool.acquire() as connection:
            await rebuild(connection)


@dataclass(frozen=True)
class Filled:
    """A database with the pilot's week in it, which tests take copies of."""

    name: str
    tenant: Tenant
    secret: str


@pytest.fixture(scope="session")
def filled(postgres: EmbeddedPostgres, make_database: Callable[[], str]) -> Filled:
    """The tenant that has declared what the pilot did, after its week: decoded and folded once."""
    url = make_database()
    tenant, secret = asyncio.run(_fill(url))
    return Filled(urlsplit(url).path.strip("/"), tenant, secret)


async def _fill(url: str) -> tuple[Tenant, str]:
    async with open_site(url, SETTINGS) as site:
        async with site.pool.acquire() as connection:
            tenant = await create_tenant(connection, "pilot", "UTC")
            _, secret = await create_key(connection, tenant, ["read", "admin"])
        async with _told(site, tenant, secret) as made:
            await made.declare(pilot.configuration())
            await made.take_in(list(pilot.events([family.type for family in FAMILIES])))
        async with site.pool.acquire() as connection:
            await connection.execute("delete from tenant where id = $1", site.tenant)  # every site makes one of this name
    return tenant, secret


@pytest.fixture
async def told(postgres: EmbeddedPostgres, filled: Filled) -> AsyncIterator[Told]:
    """A tenant that has declared what the pilot did, after its week; a copy of the test's own."""
    name = f"told_{next(_numbers)}"
    await _administer(postgres, f'create database "{name}" template "{filled.name}" strategy file_copy')
    try:
        async with open_site(postgres.url_of(name), SETTINGS) as site, _told(site, filled.tenant, filled.secret) as made:
            yield made
    finally:
        await _administer(postgres, f'drop database "{name}" with (force)')


@asynccontextmanager
async def _told(site: Site, tenant: Tenant, secret: str) -> AsyncIterator[Told]:
    clock = SetClock(to_us(MONDAY_AFTER))
    maker = Maker(site.pool, Catalog.load(), clock)
    keyring = Keyring(site.pool, SystemClock(), refresh_s=5)
    app = create_app(title="t", routers=[routes.router(maker)], telemetry=Telemetry("api"), keyring=keyring)
    headers = {"authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t", headers=headers) as client:
        yield Told(site, tenant, maker, clock, client)


async def _administer(server: EmbeddedPostgres, statement: str) -> None:
    admin = await asyncpg.connect(server.url_of("postgres"))
    try:
        await admin.execute(statement)
    finally:
        await admin.close()
