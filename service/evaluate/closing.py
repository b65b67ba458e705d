"""History: the values of windows that have closed, written again where a late event touched them."""

import heapq
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg
import structlog

from service.catalog import Catalog, Kpi, Window, resolve_window
from service.catalog.guarded import AWAY, rests_on_guests
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
"""How long at a time it is looked whom an operator's own KPI fails for: they are known from then on."""
MOST_ALONE: Final = 24
"""Failures of one tenant at a time, while the windows that fail are told apart: seven for one of fifty."""
MOST_REPEATS: Final = 3
"""How often the same history is looked at again where there was no time to tell apart whom an own KPI fails for."""

log = structlog.get_logger(__name__)


_Put: TypeAlias = Callable[[Sequence[Window]], Awaitable[None]]
"""Writes the history of windows."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """What a question failed of, and whether it took too long."""

    why: str
    is_slow: bool


@dataclass(frozen=True, slots=True)
class _Trouble:
    """What an operator's own KPIs cost one time."""

    until_s: float
    names: Mapping[int, str]
    """Of tenants."""
    failures: Counter[tuple[Kpi, int]] = field(default_factory=Counter)
    """By KPI and tenant, of those that were asked for alone."""
    slow: set[tuple[Kpi, int]] = field(default_factory=set)
    """For whom it took too long, alone."""
    failed: set[Kpi] = field(default_factory=set)
    left: set[int] = field(default_factory=set)
    """Tenants for whom there was no time."""

    def is_over(self, kpi: Kpi) -> bool:
        """Whether a KPI that fails has had its time."""
        return kpi in self.failed and perf_counter() >= self.until_s

    def why_not(self, kpi: Kpi, tenant: int) -> str:
        """Why a tenant is not asked for any more this time; "": it is."""
        if (kpi, tenant) in self.slow:
            return "it took too long for another window"
        return "too many of its windows fail" if self.failures[kpi, tenant] >= MOST_ALONE else ""


@dataclass(slots=True)
class Closing:
    """Brings every tenant's history up to the watermark."""

    catalog: Catalog
    telemetry: Telemetry
    grounds: Grounds
    clock: Clock
    turns: GuestTurns = field(default_factory=GuestTurns)
    repeats: Counter[int] = field(default_factory=Counter)
    """By tenant: how often its history was looked at again; no more than MAX_TENANTS and MOST_REPEATS."""

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
            again = self._again(due, trouble)
            async with connection.transaction():
                await live.fence(connection, owner, lease)
                for each in due:
                    if each.tenant in again:
                        continue
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

    async def _guest(self, kpi: Kpi, windows: Sequence[Window], put: _Put, trouble: _Trouble) -> None:
        """The same of one that rests on an operator's files: where it fails, halves of the tenants, then of the windows of one.

        Tenants that it fails for are known from then on: they are asked for alone and last, and rarely where it takes too long.
        """
        of: dict[int, list[Window]] = {}
        for window in windows:
            of.setdefault(window.tenant, []).append(window)
        groups = self.turns.groups(HISTORY, kpi, list(of), self.clock.now_us())
        if groups.resting:
            resting = [window for tenant in groups.resting for window in of[tenant]]
            self._failed(kpi, resting, "it took too long lately, and rests", trouble)
        waiting, failing = list(reversed([*groups.together, *groups.apart])), list[tuple[int, _Failure]]()
        while waiting:
            tenants = waiting.pop()
            ours = [window for tenant in tenants for window in of[tenant]]
            if trouble.is_over(kpi):
                self._leave(kpi, ours, trouble)
            elif (failure := await _failure(put, ours)) is None:
                self.turns.went_well(HISTORY, kpi, tenants, self.clock.now_us())
            elif (half := len(tenants) // 2) == 0:
                failing.append((tenants[0], failure))
            else:
                trouble.failed.add(kpi)
                waiting += [tenants[half:], tenants[:half]]
        for tenant, failure in failing:
            await self._apart(kpi, of[tenant], failure, put, trouble)
            if not failure.is_slow and (kpi, tenant) not in trouble.slow:
                self.turns.untold(HISTORY, kpi, [tenant], failure.why, self.clock.now_us())

    async def _apart(self, kpi: Kpi, windows: Sequence[Window], failure: _Failure, put: _Put, trouble: _Trouble) -> None:
        """Tell apart the windows of one tenant that it failed in."""
        tenant, half = windows[0].tenant, len(windows) // 2
        trouble.failed.add(kpi)
        trouble.failures[kpi, tenant] += 1
        if failure.is_slow:
            trouble.slow.add((kpi, tenant))
            self.turns.failed(HISTORY, kpi, [tenant], failure.why, self.clock.now_us(), is_slow=True)
        if failure.is_slow or not half:
            self._failed(kpi, windows, failure.why, trouble)
            return
        for few in (windows[:half], windows[half:]):
            if why_not := trouble.why_not(kpi, tenant):
                self._failed(kpi, few, why_not, trouble)
            elif trouble.is_over(kpi):
                self._leave(kpi, few, trouble)
            elif (again := await _failure(put, few)) is not None:
                await self._apart(kpi, few, again, put, trouble)

    def _leave(self, kpi: Kpi, windows: Sequence[Window], trouble: _Trouble) -> None:
        trouble.left.update(window.tenant for window in windows)
        self._failed(kpi, windows, "there is no time left for it this time", trouble)

    def _again(self, due: Sequence[HistoryProgress], trouble: _Trouble) -> set[int]:
        """Tenants whose history is looked at again, since there was no time for an own KPI; not for ever."""
        again = {each.tenant for each in due if each.tenant in trouble.left and self.repeats[each.tenant] < MOST_REPEATS}
        for each in due:
            if each.tenant in again:
                self.repeats[each.tenant] += 1
            else:
                del self.repeats[each.tenant]
        return again

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
        self.repeats = Counter({each.tenant: self.repeats[each.tenant] for each in tenants if each.tenant in self.repeats})
        if self.turns.knows(HISTORY):
            configs = {each.tenant: ground.configs[each.tenant].at(at_us) for each in tenants}
            having = {key_of(kpi): of for kpi, of in kpis_of(self.catalog, configs)}
            self.turns.keep(HISTORY, list(configs), having)


async def _failure(put: _Put, few: Sequence[Window]) -> _Failure | None:
    """What a question failed of; None: it did not."""
    try:
        await put(few)
    except (LeaseLost, *PASSING, *AWAY):
        raise
    except (TidegaugeError, asyncpg.PostgresError, TimeoutError) as error:
        is_slow = isinstance(error, TimeoutError) or (isinstance(error, KpiFailed) and error.is_slow)
        return _Failure(str(error) or type(error).__name__, is_slow)
    return None


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
