"""Counters of SLOs: which there are, and what time adds to those that are about time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import asyncpg

from service.catalog import Window
from service.catalog.slo_time import OF_TIME, tallies
from service.clock import MINUTE, Clock
from service.domain.config import TenantConfig
from service.domain.slo import Tally
from service.errors import LeaseLost, TidegaugeError
from service.evaluate.ground import Ground, Grounds
from service.store import live, slo_counters
from service.store.dirty import every_tenant
from service.store.engine import PASSING, Connection
from service.store.leases import Lease
from service.store.slo_counters import Fed
from service.telemetry import Telemetry

EVERY_S: Final = 5.0
SETTLE_US: Final = MINUTE
"""How far behind the watermark time is counted: what a probe says of it has come by then, but for late ones, which repair
the budget alone."""
MAX_WINDOWS: Final = 1_000
"""Windows of one statement."""


@dataclass(slots=True)
class SloCounting:
    """Brings the counters of SLOs up to what is declared and to the watermark; one process of an installation does it."""

    clock: Clock
    grounds: Grounds
    telemetry: Telemetry
    live_us: int
    """Time that lies longer ago is not counted any more: an outage of the evaluator pages nobody afterwards."""
    _declared: dict[int, TenantConfig] = field(default_factory=dict)
    _counted_until_us: int = 0

    async def once(self, pool: asyncpg.Pool, owner: UUID, lease: Lease, *, watermark_us: int) -> None:
        """Declare what is new, count what has passed. Raises LeaseLost and the errors of Postgres.

        Those that do not pass by themselves are counted as failures of `slo`: counters that stand still page nobody.
        """
        try:
            await self._once(pool, owner, lease, watermark_us=watermark_us)
        except (LeaseLost, *PASSING):
            raise
        except (TidegaugeError, asyncpg.PostgresError, TimeoutError):
            self.telemetry.evaluation_failures.labels(kpi="slo").inc()
            raise

    async def _once(self, pool: asyncpg.Pool, owner: UUID, lease: Lease, *, watermark_us: int) -> None:
        now_us = self.clock.now_us()
        async with pool.acquire() as connection:
            tenants = await every_tenant(connection)
            ground = await self.grounds.now(connection, tenants, at_us=now_us)
            configs = {each.tenant: ground.configs[each.tenant].at(now_us) for each in tenants}
            new = {tenant: config for tenant, config in configs.items() if self._declared.get(tenant) is not config}
            if new:
                async with connection.transaction():
                    await live.fence(connection, owner, lease)
                    await slo_counters.declare(connection, {each: ground.configs[each] for each in new}, now_us=now_us)
                self._declared |= new
            until_us = (min(watermark_us, now_us) - SETTLE_US) // MINUTE * MINUTE
            if not new and until_us <= self._counted_until_us:
                return
            # Of a tenant without events nothing is known that could be counted.
            fed = {each.tenant: configs[each.tenant] for each in tenants if each.flush}
            stretches = await self._stretches(connection, fed, ground, until_us)
            if stretches:
                async with connection.transaction():
                    await live.fence(connection, owner, lease)
                    await slo_counters.feed(connection, stretches)
            self._counted_until_us = until_us

    async def _stretches(
        self, connection: Connection, configs: Mapping[int, TenantConfig], ground: Ground, until_us: int
    ) -> list[Fed]:
        """What is to be counted of each SLO about time: from where its counter stands up to an instant."""
        wanted = [(tenant, each.name) for tenant, config in configs.items() for each in config.slos if each.kind in OF_TIME]
        stand = await slo_counters.fed_until(connection, wanted)
        begins = {
            key: until_us if stood_us is None else max(stood_us, until_us - self.live_us)
            for key, stood_us in stand.items()
            if stood_us is None or stood_us < until_us
        }
        windows = {
            (tenant, from_us): Window(tenant, (tenant, from_us), from_us, until_us, until_us, configs[tenant].timezone)
            for (tenant, _), from_us in begins.items()
            if from_us < until_us
        }
        found = await _tallies(connection, list(windows.values()), ground)
        return [
            Fed(tenant, name, counted.good, counted.total, stand[tenant, name], until_us)
            for (tenant, name), from_us in begins.items()
            for counted in (found.get(((tenant, from_us), name), Tally(0, 0)),)
        ]


async def _tallies(connection: Connection, windows: Sequence[Window], ground: Ground) -> dict[tuple[object, str], Tally]:
    found: dict[tuple[object, str], Tally] = {}
    for start in range(0, len(windows), MAX_WINDOWS):
        found |= await tallies(connection, windows[start : start + MAX_WINDOWS], ground.declared)
    return found
