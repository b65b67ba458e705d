"""Rounds: short windows every second, days every fifteen, longer ones every minute; only what is due."""

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from service.catalog import Catalog, Kpi, Shared, Window, catalog_of, resolve_window
from service.catalog.guarded import rests_on_guests
from service.catalog.own import kpis_of
from service.clock import Clock, to_datetime
from service.domain.config import TenantConfig
from service.errors import LeaseLost, TidegaugeError, TooManyRows
from service.evaluate.apart import Turn
from service.evaluate.ground import Ground, Grounds
from service.evaluate.guests import MOST_NAMED, GuestTurns, key_of, most_s
from service.evaluate.seen import Seen
from service.evaluate.values import evaluate
from service.lifecycle import side_by_side
from service.store import live
from service.store.dirty import Touched, touched_tenants
from service.store.engine import PASSING, Connection
from service.store.leases import Lease
from service.store.live import LiveValue
from service.store.spare import spare_connection
from service.telemetry import Telemetry

LANES: Final = 3
"""Connections of a round at the most, each with a KPI at a time: a statement works on one core."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Round:
    """Windows that are kept current together."""

    name: str
    every_s: float
    windows: tuple[str, ...]


ROUNDS = (
    Round("short", 1.0, ("5m", "30m", "1h")),
    Round("days", 15.0, ("2h", "6h", "24h", "72h", "1d", "day")),
    Round("longer", 60.0, ("7d", "28d", "30d", "90d", "week", "month", "quarter", "year")),
)


@dataclass(slots=True)
class _Work:
    """What a round has to do, and for whom."""

    left: deque[tuple[Kpi, list[int]]]
    """KPIs that nobody has begun yet, each with its tenants."""
    windows: Mapping[int, Sequence[Window]]
    ground: Ground
    owner: UUID
    lease: Lease
    names: Mapping[int, str]
    """Of tenants."""
    shared: Shared
    apart: list[tuple[Kpi, Sequence[list[int]]]] = field(default_factory=list)
    """KPIs with tenants that they failed for, which are asked for when nothing else is left."""
    is_apart: bool = False
    """Whether one of these was begun: one is, even where the others took all the time."""
    holding: set[int] = field(default_factory=set)
    """Tenants that have some value."""
    guests_until_s: float | None = None
    """Until when those that rest on an operator's files are begun; None: none was yet."""


@dataclass(slots=True)
class LiveRound:
    """Computes one round for the tenants that are due, and writes what came out."""

    round: Round
    catalog: Catalog
    clock: Clock
    telemetry: Telemetry
    grounds: Grounds
    turns: GuestTurns = field(default_factory=GuestTurns)
    seen: dict[int, Seen] = field(default_factory=dict)
    _took_s: dict[str, float] = field(default_factory=dict)
    """By KPI: how long it took the last time."""
    _begun_s: dict[tuple[str, bool], float] = field(default_factory=dict)
    """By KPI that rests on an operator's files: when it was last begun, and when for tenants that it failed for."""
    _crowded: set[tuple[str, int]] = field(default_factory=set)
    """KPIs and tenants with more rows than one answer may have."""
    _together: dict[str, int] = field(default_factory=dict)
    """By KPI: of how many tenants one answer may be, where not of all."""

    async def once(self, pool: asyncpg.Pool, owner: UUID, lease: Lease) -> int:
        """Evaluate what is due; returns of how many tenants. Raises LeaseLost when another one evaluates, and PASSING."""
        async with pool.acquire() as connection:
            tenants = await touched_tenants(connection)
            self.turns.keep(self.round.name, [each.tenant for each in tenants])
            windows = {each.tenant: self._windows(each) for each in tenants}
            due = [each for each in tenants if self._is_due(each, windows[each.tenant])]
            owed = self.turns.owed(self.round.name, self.clock.now_us())
            waiting = set[int]().union(*owed.values()).difference(each.tenant for each in due)
            concerned = due + [each for each in tenants if each.tenant in waiting]
            if not concerned:
                return 0
            ground = await self.grounds.now(connection, concerned, at_us=self.clock.now_us())
        found = self._kpis(concerned, ground)
        self.turns.keep(self.round.name, [each.tenant for each in concerned], {key_of(kpi): of for kpi, of in found})
        kpis = [
            (kpi, wanted)
            for kpi, of in found
            if (wanted := [each for each in of if each not in waiting or each in owed.get(key_of(kpi), ())])
        ]
        ordered, names = deque(sorted(kpis, key=self._place)), {each.tenant: each.name for each in concerned}
        shared = Shared(slow=partial(self.turns.slow, now_us=self.clock.now_us()))
        work = _Work(ordered, windows, ground, owner, lease, names, shared)
        async with AsyncExitStack() as stack:
            lanes: list[Connection] = [await stack.enter_async_context(pool.acquire())]
            while len(lanes) < LANES and (another := await spare_connection(stack, pool)) is not None:
                lanes.append(another)
            await side_by_side(self._evaluate(connection, work) for connection in lanes)
            await self._forget(lanes[0], due, ground, owner, lease)
        self._remember(due, windows, work.holding)
        for tenant in waiting & work.holding & self.seen.keys():
            self.seen[tenant].holds = True
        return len(concerned)

    def _place(self, each: tuple[Kpi, list[int]]) -> tuple[bool, float]:
        """The dearest first: what is left at the end, when one of several has nothing more to do, is short.

        Those that rest on an operator's files last: by then all others are written. Of them the one that has waited the longest.
        """
        kpi = each[0]
        if rests_on_guests(kpi):
            return True, self._begun_s.get((kpi.id, False), 0.0)
        return False, -self._took_s.get(kpi.id, 0.0)

    async def _evaluate(self, connection: Connection, work: "_Work") -> None:
        """Evaluate what nobody has begun yet, one KPI after the other; one that fails keeps its last values."""
        while work.left or work.apart:
            kpi, began_s = (work.left or work.apart)[0][0], perf_counter()
            try:
                if work.left:
                    kpi, tenants = work.left.popleft()
                    await (self._guest if rests_on_guests(kpi) else self._one)(connection, kpi, tenants, work)
                else:
                    work.apart.sort(key=lambda each: self._begun_s.get((each[0].id, True), 0.0))
                    kpi, groups = work.apart.pop(0)
                    await self._apart(connection, kpi, groups, work)
            except (LeaseLost, *PASSING):
                raise
            except (TidegaugeError, asyncpg.PostgresError, TimeoutError) as error:
                self._failed(kpi, error)
            self._took_s[kpi.id] = perf_counter() - began_s

    async def _one(self, connection: Connection, kpi: Kpi, tenants: list[int], work: "_Work") -> None:
        for few, values in await self._values(connection, kpi, tenants, work):
            await self._write(connection, kpi, few, values, work)

    async def _guest(self, connection: Connection, kpi: Kpi, tenants: list[int], work: "_Work") -> None:
        """Evaluate one that rests on an operator's files, where there is time; whom it fails for shows no values, and rests."""
        groups = self.turns.groups(self.round.name, kpi, tenants, self.clock.now_us())
        self.turns.owe(self.round.name, kpi, tenants)
        if groups.apart:
            work.apart.append((kpi, groups.apart))
        turn, unanswered = self._turn(connection, kpi, work), list(groups.resting)
        for few in groups.together:
            if not turn.may_begin():
                break
            self._begun_s[kpi.id, False] = perf_counter()
            unanswered += await turn.among(few)
        if unanswered:
            await self._write(connection, kpi, unanswered, [], work)

    async def _apart(self, connection: Connection, kpi: Kpi, groups: Sequence[list[int]], work: "_Work") -> None:
        """The same for those that it or a file of it failed for, when nobody else waits; who is not asked for shows no values."""
        turn, unanswered = self._turn(connection, kpi, work), list[int]()
        for few in groups:
            has_time = turn.may_begin() or not work.is_apart
            if has_time and self.turns.is_due(self.round.name, kpi, few, self.clock.now_us()):
                work.is_apart = True
                self._begun_s[kpi.id, True] = perf_counter()
                unanswered += await turn.among(few)
            else:
                unanswered += few
        if unanswered:
            await self._write(connection, kpi, unanswered, [], work)

    def _turn(self, connection: Connection, kpi: Kpi, work: "_Work") -> Turn:
        each_s = most_s(self.round.every_s)
        until_s = work.guests_until_s = work.guests_until_s or perf_counter() + each_s

        async def ask(few: list[int]) -> None:
            await self._one(connection, kpi, few, work)

        def tell(kpi: Kpi, few: Sequence[int], why: str, rest_s: float) -> None:
            self._failed(kpi, why, tenants=[work.names[each] for each in few[:MOST_NAMED]], of=len(few), rest_s=rest_s)

        name = self.round.name
        return Turn(self.turns, name, kpi, self.clock, ask, each_s, lambda: perf_counter() < until_s, tell)

    async def _values(
        self, connection: Connection, kpi: Kpi, tenants: list[int], work: "_Work"
    ) -> list[tuple[list[int], list[LiveValue]]]:
        """The values of a KPI for these tenants, or for halves of them where there are too many rows for one answer.

        A tenant that has too many by itself is left out, and asked alone for as long as it has.
        """
        crowded = [tenant for tenant in tenants if (kpi.id, tenant) in self._crowded]
        others = [tenant for tenant in tenants if (kpi.id, tenant) not in self._crowded]
        most = self._together.get(kpi.id, len(tenants))
        waiting = [[tenant] for tenant in crowded] + [others[place : place + most] for place in range(0, len(others), most)]
        found: list[tuple[list[int], list[LiveValue]]] = []
        halved = crowding = False
        while waiting:
            few = waiting.pop()
            wanted = [window for tenant in few for window in work.windows[tenant] if window.name in _windows_of(kpi)]
            try:
                found.append((few, await evaluate(connection, kpi, wanted, work.ground, work.shared)))
                self._crowded -= {(kpi.id, tenant) for tenant in few}
            except TooManyRows as error:
                if len(few) > 1:
                    halved, half = True, len(few) // 2
                    waiting += [few[:half], few[half:]]
                    continue
                crowding = True
                self._crowded.add((kpi.id, few[0]))
                self._failed(kpi, error)
        if halved and not crowding:
            self._together[kpi.id] = max(len(few) for few, _ in found)
        return found

    def _failed(self, kpi: Kpi, error: Exception | str, **more: object) -> None:
        self.telemetry.evaluation_failures.labels(kpi=kpi.id).inc()
        log.warning("kpi_not_evaluated", kpi=kpi.id, round=self.round.name, error=str(error) or type(error).__name__, **more)

    def _kpis(self, due: Sequence[Touched], ground: Ground) -> list[tuple[Kpi, list[int]]]:
        """The KPIs of this round with the tenants that are due and have them."""
        found = kpis_of(self.catalog, self._configs(due, ground))
        return [(kpi, tenants) for kpi, tenants in found if set(_windows_of(kpi)) & set(self.round.windows)]

    def _configs(self, due: Sequence[Touched], ground: Ground) -> dict[int, TenantConfig]:
        now_us = self.clock.now_us()
        return {each.tenant: ground.configs[each.tenant].at(now_us) for each in due}

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
        connection: Connection,
        kpi: Kpi,
        tenants: Sequence[int],
        values: Sequence[LiveValue],
        work: "_Work",
    ) -> None:
        async with connection.transaction():
            await live.fence(connection, work.owner, work.lease)
            now = to_datetime(self.clock.now_us())
            await live.replace(connection, kpi.id, tenants, self.round.windows, values, now)
        work.holding |= {value.tenant for value in values if value.value}

    async def _forget(self, connection: Connection, due: Sequence[Touched], ground: Ground, owner: UUID, lease: Lease) -> None:
        """Drop the values of KPIs that there are no more, once a version of what a tenant declares."""
        changed = [
            each for each in due if each.tenant not in self.seen or self.seen[each.tenant].config_version != each.config_version
        ]
        if not changed:
            return
        configs = self._configs(changed, ground)
        own = {tenant: set(catalog_of(self.catalog, config).kpis) - set(self.catalog.kpis) for tenant, config in configs.items()}
        async with connection.transaction():
            await live.fence(connection, owner, lease)
            await live.forget_others(connection, own, self.round.windows, list(self.catalog.kpis))

    def _remember(self, due: Sequence[Touched], windows: Mapping[int, Sequence[Window]], holding: set[int]) -> None:
        for each in due:
            bounds = tuple((window.start_us, window.end_us) for window in windows[each.tenant])
            self.seen[each.tenant] = Seen(each.flush, each.config_version, bounds, each.tenant in holding)


def _windows_of(kpi: Kpi) -> tuple[str, ...]:
    return kpi.head.live.windows if kpi.head.live else ()
