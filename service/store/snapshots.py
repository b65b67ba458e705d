"""One snapshot of the database on several connections: what is asked side by side sees the same."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import asyncpg

from service.store.engine import Connection

SIDE_BY_SIDE: Final = 3
"""Connections of one snapshot at the most: beyond that a reader would take from the others what it gains."""
_LEFT: Final = 1
"""Connections of a pool that stay for others."""

# The name by which transactions of other connections take this one's snapshot.
_EXPORT: Final = "select pg_export_snapshot()"
_TAKE: Final = "set transaction snapshot '{}'"


class Snapshot:
    """Connections whose transactions see the same; whoever asks borrows one for that long."""

    def __init__(self, connections: Iterable[Connection]) -> None:
        """All of them free."""
        self._free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        for each in connections:
            self._free.put_nowait(each)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """The one that was last given back, or the next to come back."""
        borrowed = await self._free.get()
        try:
            yield borrowed
        finally:
            self._free.put_nowait(borrowed)


@asynccontextmanager
async def snapshot(pool: asyncpg.Pool, *, most: int = SIDE_BY_SIDE) -> AsyncIterator[Snapshot]:
    """What is committed now, to be read only, by one connection and as many more as nobody needs, `most` in all.

    https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-SNAPSHOT-SYNCHRONIZATION
    """
    async with AsyncExitStack() as stack:

        async def one() -> Connection:
            taken: Connection = await stack.enter_async_context(pool.acquire())
            await stack.enter_async_context(taken.transaction(isolation="repeatable_read", readonly=True))
            return taken

        taken = [await one()]
        name = await taken[0].fetchval(_EXPORT) if most > 1 else ""
        # Never waited for: two readers that each hold one and wait for another would wait for ever.
        while len(taken) < most and _free(pool) > _LEFT:
            taken.append(await one())
            await taken[-1].execute(_TAKE.format(name))
        yield Snapshot(taken)


def _free(pool: asyncpg.Pool) -> int:
    """Connections that can be had without waiting."""
    return pool.get_max_size() - pool.get_size() + pool.get_idle_size()
