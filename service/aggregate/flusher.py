"""The connection that flushes: one of a worker's own, with its temporary tables, named in its leases."""

import contextlib
from collections.abc import Sequence

import asyncpg

from service.aggregate.holding import Holding
from service.errors import StoreUnavailable
from service.store.flush import Move, flush
from service.store.leases import backend_of
from service.store.staging import Staged, make_stages


class Flusher:
    """Writes batches, one at a time."""

    def __init__(self, pool: asyncpg.Pool, generation: int, holding: Holding) -> None:
        self._pool = pool
        self._generation = generation
        self._holding = holding
        self._connection: asyncpg.pool.PoolConnectionProxy | None = None

    async def connect(self) -> None:
        """Have a living connection, and have the leases name its backend."""
        # A pool takes a connection that has ended back by itself: then even asking it raises.
        with contextlib.suppress(asyncpg.InterfaceError):
            if self._connection is not None and not self._connection.is_closed():
                return
        await self.disconnect()
        self._connection = await self._pool.acquire()
        await make_stages(self._connection)
        self._holding.backend = await backend_of(self._connection)
        async with self._pool.acquire() as connection:
            await self._holding.renew(connection)

    async def disconnect(self) -> None:
        """Let the connection go, for good: the next holder of a lease that we lost ends its backend."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with contextlib.suppress(asyncpg.InterfaceError):
                connection.terminate()
            await self._pool.release(connection)

    async def write(self, staged: Staged, moves: Sequence[Move]) -> None:
        """Write a batch, or nothing of it; raises what `flush` raises, and StoreUnavailable without a connection."""
        if self._connection is None:
            raise StoreUnavailable("there is no connection to flush over: it is made anew")
        await flush(self._connection, generation=self._generation, owner=self._holding.owner, moves=moves, staged=staged)
