"""History: the values of windows that have closed, written again where a late event touched them."""

import heapq
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from service.catalog import Catalog, Kpi, Window, resolve_window
from service.catalog.guarded import AWAY, MOST_ASKED, rests_on_guests
from service.catalog.own import kpis_of
from service.clock import DAY, Clock
from service.domain.config import TenantConfig
from service.domain.config.versions import TenantConfigs
from service.errors import KpiFailed, LeaseLost, TidegaugeError
from service.evaluate.ground import Ground, Grounds
from service.evaluate.guests import MOST_NAMED, GuestTurns, key_of
from service.evaluate.values import evaluate
from service.store import history, live
from service.store.dirty import Touched, touched_tenants
from service.store.engine import PASSING
from service.store.history import HistoryProgress
from service.store.leases import Lease
from service.telemetry import Telemetry

WINDOWS = ("day", "week", "month")
MAX_WINDOWS = 400
"""Windows of one statement."""
MAX_TENANTS = 100
MAX_TENANT_WINDOWS = 50
"""Windows of a tenant at a time, about: a long backfill is done little by little, and delays no other tenant for long."""
HISTORY: Final = "history"
"""The round of turns."""
PATIENCE_S: Final = 90.0
"""How long at a time it is looked whom an operator's own KPI takes too long for: they are known from then on."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Trouble:
    """What an operator's own KPIs cost one time."""

    until_s: float
    names: Mapping[int, str]
    """Of tenants."""
    failures: Counter[Kpi] = field(default_factory=Counter)


@dataclass(slots=True)
class Closing:
    """Brings every tenant's history up to the watermark."""

    catalog: Catalog
    telemetry: Telemetry
    grounds: Grounds
    clock: Clock
    turns: GuestTurns = field(default_factory=GuestTurns)

    async def once(self, pool: asyncpg.Pool, owner: UUID, lease: Lease, *, watermark_us: int) -> int:
        """Write what has closed or was touched since; returns how many windows were looked at. Raises LeaseLost and PASSING."""
        async with pool.acquire() as connection:
            async with connection.transaction():
                await live.fence(connection, owner, lease)
                await history.take_touched(connection)
            tenants = await touched_tenants(connection)
            ground = await self.grounds.now(connection, tenants, at_us=watermark_us)
            self._forget(tenants, ground, watermark_us)
            behind = [each for each in await history.progress(connection) if each.tenant in ground.configs]
            windows = {each.tenant: _closed(each, ground.configs[each.tenant], watermark_us) for each in behind}
            # Those that have waited the longest: late events that keep coming for some let the others not wait for ever.
            behind.sort(key=lambda each: each.closed_until_us)
            due = [each for each in behind if windows[each.tenant]][:MAX_TENANTS]
            wanted = [window for each in due for window in windows[each.tenant]]
            trouble = _Trouble(perf_counter() + PATIENCE_S, {each.tenant: each.name for each in tenants})
            for start in range(0, len(wanted), MAX_WINDOWS):
                for few, configs, then in ground.by_version(wanted[start : start + MAX_WINDOWS]):
                    await self._write(connection, few, configs, then, owner, lease, trouble)
            async with connection.transaction():
                await live.fence(connection, owner, lease)
                for each in due:
                    written = windows[each.tenant]
                    # A full measure may have been all that there was: the next time tells.
                    left_us = written[-1].end_us if len(written) >= MAX_TENANT_WINDOWS else None
                    until_us = watermark_us if left_us is None else left_us
                    await history.done(connection, each, until_us=until_us, left_from_us=left_us)
            return len(wanted)

    async def _write(
        self,
        connection: asyncpg.pool.PoolConnectionProxy,
        windows: Sequence[Window],
        configs: Mapping[int, TenantConfig],
        ground: Ground,
        owner: UUID,
        lease: Lease,
        trouble: _Trouble,
    ) -> None:
        """Write the history of windows by what was declared at their ends; an own KPI has one for as long as it is declared."""
        # Those that rest on an operator's files last: by then the history of all others is written.
        for kpi, tenants in sorted(kpis_of(self.catalog, configs), key=lambda each: rests_on_guests(each[0])):
            ours = set(tenants)
            fitting = [w for w in windows if w.tenant in ours and kpi.head.live is not None and kpi.takes(w.name)]

            async def put(few: Sequence[Window], kpi: Kpi = kpi) -> None:
                values = await evaluate(connection, kpi, few, ground)
                async with connection.transaction():
                    await live.fence(connection, owner, lease)
                    await history.put(connection, kpi.id, values)

            try:
                if fitting and rests_on_guests(kpi):
                    await self._guest(kpi, fitting, put, trouble)
                elif fitting:
                    await put(fitting)
            except (LeaseLost, *PASSING):
                raise
            except (TidegaugeError, asyncpg.PostgresError, TimeoutError) as error:
                self._failed(kpi, fitting, error, trouble)

    async def _guest(
        self, kpi: Kpi, windows: Sequence[Window], put: Callable[[Sequence[Window]], Awaitable[None]], trouble: _Trouble
    ) -> None:
        """The same of one that rests on an operator's files: where it fails, halves of the windows, down to those at fault.

        Tenants that it takes too long for are known from then on: they are asked for alone and last, and rarely.
        """
        ordered = sorted(windows, key=lambda window: window.tenant)
        groups = self.turns.groups(HISTORY, kpi, list(dict.fromkeys(w.tenant for w in ordered)), self.clock.now_us())
        waiting = [[w for w in ordered if w.tenant in few] for few in map(set, reversed([*groups.together, *groups.apart]))]
        while waiting:
            few = waiting.pop()
            if trouble.failures[kpi] and perf_counter() >= trouble.until_s:
                self._failed(kpi, few, "there is no time left for it this time", trouble)
                continue
            tenants, half = {window.tenant for window in few}, len(few) // 2
            try:
                await put(few)
                self.turns.went_well(HISTORY, kpi, tenants)
            except (LeaseLost, *PASSING, *AWAY):
                raise
            except (TidegaugeError, asyncpg.PostgresError, TimeoutError) as error:
                trouble.failures[kpi] += 1
                is_slow = isinstance(error, TimeoutError) or (isinstance(error, KpiFailed) and error.is_slow)
                if half and trouble.failures[kpi] < MOST_ASKED and not (is_slow and len(tenants) == 1):
                    waiting += [few[half:], few[:half]]
                    continue
                if is_slow and len(tenants) == 1:
                    self.turns.failed(HISTORY, kpi, list(tenants), str(error), self.clock.now_us(), is_slow=True)
                self._failed(kpi, few, error, trouble)

    def _failed(self, kpi: Kpi, windows: Sequence[Window], error: Exception | str, trouble: _Trouble) -> None:
        self.telemetry.evaluation_failures.labels(kpi=kpi.id).inc()
        tenants = list(dict.fromkeys(trouble.names[window.tenant] for window in windows))
        log.warning(
            "kpi_history_not_written",
            kpi=kpi.id,
            tenants=tenants[:MOST_NAMED],
            of=len(tenants),
            windows=len(windows),
            error=str(error) or type(error).__name__,
        )

    def _forget(self, tenants: Sequence[Touched], ground: Ground, at_us: int) -> None:
        """Let go of what is remembered of tenants that there are no more, and of own KPIs that they declare no more."""
        self.turns.keep(HISTORY, [each.tenant for each in tenants])
        if self.turns.knows(HISTORY):
            configs = {each.tenant: ground.configs[each.tenant].at(at_us) for each in tenants}
            having = {key_of(kpi): of for kpi, of in kpis_of(self.catalog, configs)}
            self.turns.keep(HISTORY, list(configs), having)


def _closed(each: HistoryProgress, configs: TenantConfigs, watermark_us: int) -> list[Window]:
    """Windows that have closed since the history was last written, and closed ones that were touched since.

    In the order of their ends, about MAX_TENANT_WINDOWS at the most: those of one end come together.
    """
    from_us = max(each.closed_until_us, each.first_day * DAY - DAY)
    if each.touched_from_us is not None:
        from_us = min(from_us, each.touched_from_us)
    windows = heapq.merge(
        *(_from(each.tenant, configs.timezone, name, from_us, watermark_us) for name in WINDOWS), key=lambda window: window.end_us
    )
    found: list[Window] = []
    for window in windows:
        if len(found) >= MAX_TENANT_WINDOWS and window.end_us != found[-1].end_us:
            break
        found.append(window)
    return found


def _from(tenant: int, zone: str, name: str, from_us: int, until_us: int) -> Iterator[Window]:
    """The windows of a name, one after the other, from the one that holds an instant to the last one that is over."""
    end_us = from_us + 1
    while True:
        window = resolve_window(tenant, zone, now_us=until_us, name=name, end_us=end_us, key=(tenant, name, end_us))
        if window.end_us > until_us:
            return
        yield window
        end_us = window.end_us + 1
