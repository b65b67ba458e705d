"""The pilot week, taken in by the real decoder and folded by the real worker, and reports of it over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

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
from service.store.keys import create_key
from service.store.segments import rebuild
from service.store.tenants import Tenant, create_tenant
from service.telemetry import Telemetry
from tests.aggregate.conftest import Site, open_site

MONDAY_AFTER = datetime(2025, 11, 24, 6, 0, tzinfo=UTC)
"""The morning on which the week's report is made."""
LIMITS = Limits(max_request_events=1_000, max_event_bytes=20_000, max_depth=32, max_lateness_us=7 * DAY, max_skew_us=300_000_000)
BATCH = 1_000


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


@pytest.fixture
async def told(database_url: str) -> AsyncIterator[Told]:
    """A tenant that has declared what the pilot did, after its week."""
    async with open_site(database_url, Settings(partitions=4, flush_interval_s=0.01, lease_s=10.0)) as site:
        async with site.pool.acquire() as connection:
            tenant = await create_tenant(connection, "pilot", "UTC")
            _, secret = await create_key(connection, tenant, ["read", "admin"])
        clock = SetClock(to_us(MONDAY_AFTER))
        maker = Maker(site.pool, Catalog.load(), clock)
        keyring = Keyring(site.pool, SystemClock(), refresh_s=5)
        app = create_app(title="t", routers=[routes.router(maker)], telemetry=Telemetry("api"), keyring=keyring)
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t", headers=headers) as client:
            made = Told(site, tenant, maker, clock, client)
            await made.declare(pilot.configuration())
            await made.take_in(list(pilot.events([family.type for family in FAMILIES])))
            yield made
