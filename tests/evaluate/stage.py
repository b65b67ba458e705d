"""A stage for the evaluator: a tenant, requests in its rollups, a clock that moves, and the lease."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID, uuid4

import asyncpg

from service.catalog import Catalog
from service.clock import DAY, HOUR, SECOND
from service.domain.localtime import day_of
from service.evaluate.closing import Closing
from service.evaluate.ground import Grounds
from service.evaluate.rounds import ROUNDS, LiveRound
from service.store import leases
from service.store.engine import create_pool
from service.store.leases import Lease
from service.telemetry import Telemetry
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store
from tests.http.clocks import HandClock

KPIS = ("error_rate", "requests")


@dataclass(frozen=True, slots=True)
class Stage:
    """What a test of the evaluator holds."""

    pool: asyncpg.Pool
    tenant: int
    clock: HandClock
    owner: UUID
    lease: Lease
    catalog: Catalog
    zone: str

    def live(self, name: str = "short") -> LiveRound:
        """One round, which has seen nothing yet."""
        found = next(each for each in ROUNDS if each.name == name)
        return LiveRound(found, self.catalog, self.clock, Telemetry("test"), Grounds())

    def closing(self) -> Closing:
        """The history, which has seen nothing yet."""
        return Closing(self.catalog, Telemetry("test"), Grounds(), self.clock)

    async def requests(self, seen: Sequence[tuple[int, str, int]], *, service: str = "api") -> None:
        """Requests at instants with a status, so many each; as one flush would leave them."""
        async with self.pool.acquire() as connection:
            facts = [
                Observation(at, {"service": service, "status": status}, value=1_000, count=count) for at, status, count in seen
            ]
            await store(connection, self.tenant, "request", self.zone, facts)
            await self.touch(connection, [at for at, _, _ in seen])

    async def touch(self, connection: asyncpg.pool.PoolConnectionProxy, instants: Sequence[int]) -> None:
        """Note a flush with events of these instants."""
        await connection.execute(
            "insert into tenant_dirty as d values ($1, 1, $2, $3) on conflict (tenant) do update set flush = d.flush + 1,"
            " oldest_us = case when d.oldest_us = 0 then excluded.oldest_us else least(d.oldest_us, excluded.oldest_us) end",
            self.tenant,
            max(instants),
            min(instants),
        )
        for at in instants:
            await connection.execute(
                "insert into tenant_hours values ($1, $2, 1, 0) on conflict do nothing",
                self.tenant,
                date(1970, 1, 1) + timedelta(days=at // DAY),
            )

    async def values(self, table: str, kpi: str, **where: str) -> list[asyncpg.Record]:
        """Rows of a KPI's plain value for the whole tenant, the oldest first."""
        order = "start_at"
        async with self.pool.acquire() as connection:
            rows: list[asyncpg.Record] = await connection.fetch(
                f"select * from {table} where tenant = $1 and kpi = $2 and statistic = '' and dims = '{{}}' and \"window\" = $3"
                f" order by {order}",
                self.tenant,
                kpi,
                where["window"],
            )
        return rows

    def local_day(self) -> int:
        """The local day that it is."""
        return day_of(self.clock.now_us(), self.zone)


@asynccontextmanager
async def staged(url: str, *, zone: str = "UTC") -> AsyncIterator[Stage]:
    """A stage on a database of its own."""
    pool = await create_pool(url, max_size=4)
    clock = HandClock()
    clock.us = clock.us // HOUR * HOUR + 30 * SECOND
    owner = uuid4()
    try:
        async with pool.acquire() as connection:
            await make_partitions(connection)
            tenant = await make_tenant(connection, "acme", zone)
            backend = await leases.backend_of(connection)
            [lease] = await leases.take(connection, owner=owner, resources=["evaluate"], most=1, lease_s=60, backend=backend)
        whole = Catalog.load()
        catalog = Catalog({name: whole.kpis[name] for name in KPIS})
        yield Stage(pool, tenant, clock, owner, lease, catalog, zone)
    finally:
        await pool.close()
