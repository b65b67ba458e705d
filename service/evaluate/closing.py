"""History: the values of windows that have closed, written again where a late event touched them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import structlog

from service.catalog import Catalog, Window, resolve_window
from service.clock import DAY
from service.domain.config.versions import TenantConfigs
from service.errors import LeaseLost, TidegaugeError
from service.evaluate.ground import Ground, Grounds
from service.evaluate.values import evaluate
from service.store import history, live
from service.store.dirty import touched_tenants
from service.store.history import HistoryProgress
from service.store.leases import Lease
from service.telemetry import Telemetry

WINDOWS = ("day", "week", "month")
MAX_WINDOWS = 400
"""Windows of one statement; a long backfill is done in so many at a time."""
MAX_TENANTS = 100

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Closing:
    """Brings every tenant's history up to the watermark."""

    catalog: Catalog
    telemetry: Telemetry
    grounds: Grounds

    async def once(self, pool: asyncpg.Pool, owner: UUID, lease: Lease, *, watermark_us: int) -> int:
        """Write what has closed or was touched since; returns how many windows were looked at. Raises LeaseLost."""
        async with pool.acquire() as connection:
            async with connection.transaction():
                await live.fence(connection, owner, lease)
                await history.take_touched(connection)
            tenants = await touched_tenants(connection)
            ground = await self.grounds.now(connection, tenants, at_us=watermark_us)
            behind = [each for each in await history.progress(connection) if each.tenant in ground.configs]
            windows = {each.tenant: _closed(each, ground.configs[each.tenant], watermark_us) for each in behind}
            due = [each for each in behind if windows[each.tenant]][:MAX_TENANTS]
            wanted = [window for each in due for window in windows[each.tenant]]
            for start in range(0, len(wanted), MAX_WINDOWS):
                await self._write(connection, wanted[start : start + MAX_WINDOWS], ground, owner, lease)
            async with connection.transaction():
                await live.fence(connection, owner, lease)
                for each in due:
                    await history.done(connection, each, closed_until_us=watermark_us)
            return len(wanted)

    async def _write(
        self,
        connection: asyncpg.pool.PoolConnectionProxy,
        windows: Sequence[Window],
        ground: Ground,
        owner: UUID,
        lease: Lease,
    ) -> None:
        for kpi in self.catalog.kpis.values():
            fitting = [window for window in windows if kpi.head.live is not None and kpi.takes(window.name)]
            if not fitting:
                continue
            try:
                values = await evaluate(connection, kpi, fitting, ground)
                async with connection.transaction():
                    await live.fence(connection, owner, lease)
                    await history.put(connection, kpi.id, values)
            except LeaseLost:
                raise
            except (TidegaugeError, asyncpg.PostgresError) as error:
                self.telemetry.evaluation_failures.labels(kpi=kpi.id).inc()
                log.warning("kpi_history_not_written", kpi=kpi.id, error=str(error))


def _closed(each: HistoryProgress, configs: TenantConfigs, watermark_us: int) -> list[Window]:
    """Windows that have closed since the history was last written, and closed ones that were touched since."""
    touched_us = watermark_us if each.touched_from_us is None else each.touched_from_us
    closed_us = max(each.closed_until_us, each.first_day * DAY - DAY)
    return [
        window
        for name in WINDOWS
        for window in _from(each.tenant, configs.timezone, name, min(touched_us, closed_us), watermark_us)
        if window.end_us > closed_us or window.end_us > touched_us
    ]


def _from(tenant: int, zone: str, name: str, from_us: int, until_us: int) -> Iterator[Window]:
    """The windows of a name, one after the other, from the one that holds an instant to the last one that is over."""
    end_us = from_us + 1
    while True:
        window = resolve_window(tenant, zone, now_us=until_us, name=name, end_us=end_us, key=(tenant, name, end_us))
        if window.end_us > until_us:
            return
        yield window
        end_us = window.end_us + 1
