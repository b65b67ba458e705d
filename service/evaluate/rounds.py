"""Rounds: short windows every second, days every fifteen, longer ones every minute; only what is due."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import structlog

from service.catalog import Catalog, Kpi, Window, resolve_window
from service.clock import Clock, to_datetime
from service.errors import LeaseLost, TidegaugeError
from service.evaluate.ground import Grounds
from service.evaluate.values import evaluate
from service.store import live
from service.store.dirty import Touched, touched_tenants
from service.store.engine import PASSING
from service.store.leases import Lease
from service.store.live import LiveValue
from service.telemetry import Telemetry

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Round:
    """Windows that are kept current together."""

    name: str
    every_s: float
    windows: tuple[str, ...]


ROUNDS = (
    Round("short", 1.0, ("5m", "1h")),
    Round("days", 15.0, ("24h", "1d", "day")),
    Round("longer", 60.0, ("7d", "28d", "30d", "90d", "week", "month", "quarter", "year")),
)


@dataclass(slots=True)
class Seen:
    """How a tenant looked when its round was last done; `holds`: some value was there then."""

    flush: int
    config_version: int
    windows: tuple[tuple[int, int], ...]
    holds: bool = True

    def is_due(self, each: Touched, windows: Sequence[Window]) -> bool:
        """Touched by a flush, declared anew, or its windows moved and may let go of something."""
        if (each.flush, each.config_version) != (self.flush, self.config_version):
            return True
        return self.holds and tuple((w.start_us, w.end_us) for w in windows) != self.windows


@dataclass(slots=True)
class LiveRound:
    """Computes one round for the tenants that are due, and writes what came out."""

    round: Round
    catalog: Catalog
    clock: Clock
    telemetry: Telemetry
    grounds: Grounds
    seen: dict[int, Seen] = field(default_factory=dict)

    async def once(self, pool: asyncpg.Pool, owner: UUID, lease: Lease) -> int:
        """Evaluate what is due; returns of how many tenants. Raises LeaseLost when another one evaluates, and PASSING."""
        async with pool.acquire() as connection:
            tenants = await touched_tenants(connection)
            windows = {each.tenant: self._windows(each) for each in tenants}
            due = [each for each in tenants if self._is_due(each, windows[each.tenant])]
            if not due:
                return 0
            ground = await self.grounds.now(connection, due, at_us=self.clock.now_us())
            holding: set[int] = set()
            for kpi in self._kpis():
                wanted = [window for each in due for window in windows[each.tenant] if window.name in _windows_of(kpi)]
                try:
                    values = await evaluate(connection, kpi, wanted, ground)
                    await self._write(connection, kpi, due, values, owner, lease)
                except (LeaseLost, *PASSING):
                    raise
                except (TidegaugeError, asyncpg.PostgresError, TimeoutError) as error:
                    self.telemetry.evaluation_failures.labels(kpi=kpi.id).inc()
                    log.warning("kpi_not_evaluated", kpi=kpi.id, round=self.round.name, error=str(error) or type(error).__name__)
                    continue
                holding |= {value.tenant for value in values if value.value}
            self._remember(due, windows, holding)
            return len(due)

    def _kpis(self) -> list[Kpi]:
        return [kpi for kpi in self.catalog.kpis.values() if set(_windows_of(kpi)) & set(self.round.windows)]

    def _windows(self, each: Touched) -> list[Window]:
        now_us = self.clock.now_us()
        return [
            resolve_window(each.tenant, each.timezone, now_us=now_us, name=name, key=(each.tenant, name))
            for name in self.round.windows
        ]

    def _is_due(self, each: Touched, windows: Sequence[Window]) -> bool:
        seen = self.seen.get(each.tenant)
        return seen is None or seen.is_due(each, windows)

    async def _write(
        self,
        connection: asyncpg.pool.PoolConnectionProxy,
        kpi: Kpi,
        due: Sequence[Touched],
        values: Sequence[LiveValue],
        owner: UUID,
        lease: Lease,
    ) -> None:
        async with connection.transaction():
            await live.fence(connection, owner, lease)
            tenants = [each.tenant for each in due]
            now = to_datetime(self.clock.now_us())
            await live.replace(connection, kpi.id, tenants, self.round.windows, values, now)

    def _remember(self, due: Sequence[Touched], windows: Mapping[int, Sequence[Window]], holding: set[int]) -> None:
        for each in due:
            bounds = tuple((window.start_us, window.end_us) for window in windows[each.tenant])
            self.seen[each.tenant] = Seen(each.flush, each.config_version, bounds, each.tenant in holding)


def _windows_of(kpi: Kpi) -> tuple[str, ...]:
    return kpi.head.live.windows if kpi.head.live else ()
