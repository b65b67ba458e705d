"""A whole installation in one process: the real door, log, aggregator and reading API on a database of the test's own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from service.aggregate.worker import Worker
from service.expose import readiness
from service.ingest.backlog import LogBacklog
from service.settings import Settings
from service.store import ledger
from service.store.keys import create_key
from service.store.partitions import ensure_partitions
from service.store.tenants import Tenant, create_tenant
from service.wiring import base as wiring
from service.wiring.api import api
from tests.http.serving import serving

CONSUMED_TIMEOUT_S = 180.0


@dataclass(frozen=True, slots=True)
class Running:
    """What a test of an installation holds."""

    base: wiring.Base
    tenant: Tenant
    keys: Mapping[str, str]
    client: httpx.AsyncClient
    backlog: LogBacklog
    worker: Worker

    async def send(self, events: Any, status: int = 202, *, key: str = "write") -> Any:
        """Send events as JSON."""
        answer = await self.client.post("/v1/events", json=events, headers={"authorization": f"Bearer {self.keys[key]}"})
        assert answer.status_code == status, answer.text
        return answer.json()

    async def get(self, path: str, status: int = 200, /, **parameters: str) -> Any:
        """Read JSON with the tenant's key."""
        answer = await self.client.get(path, params=parameters)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def csv(self, path: str, **parameters: str) -> list[str]:
        """Read lines of CSV."""
        answer = await self.client.get(path, params=parameters | {"format": "csv"})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        return answer.text.splitlines()

    async def consumed(self) -> ledger.LedgerReport:
        """Wait until nothing is pending."""
        async with asyncio.timeout(CONSUMED_TIMEOUT_S):
            while True:
                async with self.base.pool.acquire() as connection:
                    report = await ledger.check(connection)
                if not report.pending:
                    return report
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running(database_url: str, settings: Settings) -> AsyncIterator[Running]:
    """Everything but the evaluator, until the block ends."""
    async with wiring.base(settings, database_url, role="test", connections=8) as base:
        async with base.pool.acquire() as connection:
            await ensure_partitions(connection, now_us=base.clock.now_us(), settings=settings)
            tenant = await create_tenant(connection, "acme", "America/New_York")
            scopes = {"write": ["ingest"], "history": ["ingest", "backfill"], "read": ["read"], "metrics": ["metrics"]}
            keys = {name: (await create_key(connection, tenant, wanted))[1] for name, wanted in scopes.items()}
        door, waiting = wiring.appender(base), wiring.backlog(base)
        tasks = [asyncio.create_task(door.run())]
        app = api(base, await wiring.catalog_for(base), door, waiting, {"appender": readiness.appender(tasks[0], waiting.check)})
        worker = Worker(
            log=base.event_log,
            pool=base.pool,
            settings=settings,
            clock=base.clock,
            telemetry=base.telemetry,
            installation=base.installation,
        )
        tasks.append(asyncio.create_task(worker.run()))
        try:
            headers = {"authorization": f"Bearer {keys['read']}"}
            async with (
                serving(app) as address,
                httpx.AsyncClient(base_url=address, headers=headers, trust_env=False, timeout=120) as client,
            ):
                yield Running(base, tenant, keys, client, waiting, worker)
        finally:
            await worker.stop()
            tasks[0].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
