"""What /readyz asks: whether Postgres and the log answer, and how a role's own work stands."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence

import asyncpg

from service.clock import SECOND, Clock
from service.domain.ids import Partition
from service.eventlog.port import EventLog
from service.expose.process import Check, Part
from service.store import status
from service.store.installation import EVALUATE_LEASE

MAX_LAG_S = 60.0
"""Age of the oldest pending event above which an aggregator is not ready: its figures are that far behind."""


def database(pool: asyncpg.Pool) -> Check:
    """Postgres answers."""

    async def ask() -> Part:
        async with pool.acquire() as connection:
            await status.answers(connection)
        return Part(ready=True)

    return ask


def event_log(log: EventLog) -> Check:
    """The log answers."""

    async def ask() -> Part:
        await log.extents((Partition(0),))
        return Part(ready=True)

    return ask


def kpis(refused: Sequence[object], failing: Callable[[], Iterable[str]] = tuple) -> Check:
    """Whether files of KPIs were refused, or are `failing`: the others are served all the same."""

    async def ask() -> Part:
        return Part(ready=True, says="; ".join([*(f"refused {each}" for each in refused), *failing()]) or "ready")

    return ask


def appender(appending: asyncio.Task[None], check_room: Callable[[], None]) -> Check:
    """The appender runs, and the log has room; `check_room` raises where it has none."""

    async def ask() -> Part:
        if appending.done():
            return Part(ready=False, says="it has ended: this process stops")
        check_room()
        return Part(ready=True)

    return ask


def leases(pool: asyncpg.Pool, generation: int, held: Callable[[], Collection[Partition]]) -> Check:
    """The aggregator holds partitions, or others hold all of them."""

    async def ask() -> Part:
        async with pool.acquire() as connection:
            found = await status.partitions(connection, generation)
        # A lease is ours when Postgres and the worker say so: one that is just taken is known to one of them first.
        known = held()
        ours, free = sum(bool(each.held) and each.partition in known for each in found), sum(not each.held for each in found)
        says = f"holds {ours} of {len(found)} partitions, {free} are held by nobody"
        return Part(ready=bool(ours) or not free, says=says)

    return ask


def lag(pool: asyncpg.Pool, generation: int, held: Callable[[], Collection[Partition]], clock: Clock) -> Check:
    """What the aggregator holds is consumed within MAX_LAG_S of its receipt."""

    async def ask() -> Part:
        ours = held()
        async with pool.acquire() as connection:
            found = [each for each in await status.partitions(connection, generation) if each.partition in ours]
        behind = sum(each.appended - each.consumed for each in found)
        oldest = min((each.oldest_us for each in found if each.oldest_us is not None), default=None)
        age_s = 0.0 if oldest is None else max(0.0, (clock.now_us() - oldest) / SECOND)
        return Part(ready=age_s <= MAX_LAG_S, says=f"{behind:,} events behind, the oldest for {age_s:.1f} s")

    return ask


def parked(partitions: Callable[[], Collection[Partition]]) -> Check:
    """No partition waits for another release that can read its next record."""

    async def ask() -> Part:
        stuck = sorted(partitions())
        if stuck:
            return Part(ready=False, says=f"partitions {stuck} hold a record of a newer release: upgrade this one")
        return Part(ready=True)

    return ask


def evaluator(pool: asyncpg.Pool, holds: Callable[[], bool]) -> Check:
    """The process evaluates, or stands by for another one that does."""

    async def ask() -> Part:
        if holds():
            return Part(ready=True, says="holds the lease")
        async with pool.acquire() as connection:
            holder = await status.holder(connection, EVALUATE_LEASE)
        if holder is None:
            return Part(ready=False, says="nobody holds the lease yet")
        return Part(ready=True, says=f"stands by for {holder.host}:{holder.pid}")

    return ask


def topics(standing: Callable[[], tuple[bool, str]]) -> Check:
    """The source reads every topic that is bound; `standing` says whether, and a few words."""

    async def ask() -> Part:
        ready, says = standing()
        return Part(ready=ready, says=says)

    return ask
