"""Connections of a pool that nobody needs just now: whoever has one may work faster with a second."""

import asyncio
from contextlib import AsyncExitStack
from typing import Final

import asyncpg

from service.store.engine import Connection

_LEFT: Final = 1
"""Connections of a pool that stay for others."""
_PATIENCE_S: Final = 1.0
"""How long one more connection may take: those that somebody else is opening look free until they are open."""


async def spare_connection(stack: AsyncExitStack, pool: asyncpg.Pool) -> Connection | None:
    """One more connection until `stack` is closed, if there is one to be had.

    Hardly waited for: two who hold one each and wait for another would wait for ever.
    """
    if _free(pool) <= _LEFT:
        return None
    try:
        async with asyncio.timeout(_PATIENCE_S):
            found: Connection = await stack.enter_async_context(pool.acquire())
            return found
    except (TimeoutError, asyncpg.TooManyConnectionsError):
        return None


def _free(pool: asyncpg.Pool) -> int:
    """Connections that seem to be had without waiting."""
    return pool.get_max_size() - pool.get_size() + pool.get_idle_size()
