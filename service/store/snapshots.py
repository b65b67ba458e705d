"""One snapshot of the database on several connections: what is asked side by side sees the same."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Final

import asyncpg

from service.store.engine import Connection
from service.store.spare import spare_connection

SIDE_BY_SIDE: Final = 3
"""Connections of one snapshot at the most: beyond that a reader would take from the others what it gains."""
# The name by which transactions of other connections take this one's snapshot.
_EXPORT: Final = "select pg_export_snapshot()"
_TAKE: Final = "set transaction snapshot '{}'"
# Connections that have nothing to do until the others have done stay: `transaction_timeout` is what bounds them all.
_STAY: Final = "set local idle_in_transaction_session_timeout = 0"


class Snapshot:
    """Connections whose transactions see the same; whoever asks borrows one for that long."""

    def __init__(self, connections: Iterable[Connection]) -> None:
        """All of them free."""
        self._free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        for each in connections:
            self._free.put_nowait(each)
        self.has_several: Final = self._free.qsize() > 1
        """Whether two can be asked at once."""

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
    """What is committed now, to be read only, by one connection and as many more as nobody needs, `most` in all."""
    async with pool.acquire() as connection, _reading(connection), widened(connection, pool, most=most) as seen:
        yield seen


@asynccontextmanager
async def widened(connection: Connection, pool: asyncpg.Pool, *, most: int = SIDE_BY_SIDE) -> AsyncIterator[Snapshot]:
    """What the transaction of a connection sees, repeatably, by it and as many more of its pool as nobody needs, `most` in all.

    https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-SNAPSHOT-SYNCHRONIZATION
    """
    async with AsyncExitStack() as stack:
        taken = [connection]
        if most > 1:
            await connection.execute(_STAY)
            name = await connection.fetchval(_EXPORT)
            while len(taken) < most and (another := await _joining(stack, pool, name)) is not None:
                taken.append(another)
        yield Snapshot(taken)


async def _joining(stack: AsyncExitStack, pool: asyncpg.Pool, name: str) -> Connection | None:
    """One more connection that sees a snapshot until `stack` is closed, if there is one; one that turns out broken is none."""
    try:
        async with AsyncExitStack() as own:
            if (another := await spare_connection(own, pool)) is not None:
                await own.enter_async_context(_reading(another))
                await another.execute(f"{_TAKE.format(name)}; {_STAY}")
                await stack.enter_async_context(own.pop_all())
            return another
    except (asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.InterfaceError, OSError):
        return None


def _reading(connection: Connection) -> AbstractAsyncContextManager[Any]:
    return connection.transaction(isolation="repeatable_read", readonly=True)
