"""What aggregators hold and have committed, as Postgres has it; what nobody knows while Postgres is away."""

import asyncio
from typing import Any

import asyncpg

ANSWER_TIMEOUT_S = 30.0
_COMMITTED = "select coalesce(sum(events), 0)::bigint from partition_progress"
# Partitions of the log whose leases are alive and this process's.
_HELD = """
select count(*)
from lease l join worker w on w.id = l.owner
where w.pid = $1 and l.resource like 'log/%' and l.expires_at > clock_timestamp()
"""


def committed(url: str) -> int | None:
    """How many events aggregators have committed; None: Postgres does not answer."""
    row = asyncio.run(_asked(url, _COMMITTED))
    return None if row is None else int(row[0])


def held(url: str, pid: int) -> int | None:
    """How many partitions a process holds; None: Postgres does not answer."""
    row = asyncio.run(_asked(url, _HELD, pid))
    return None if row is None else int(row[0])


async def _asked(url: str, sql: str, *arguments: Any) -> asyncpg.Record | None:
    try:
        connection = await asyncpg.connect(url, timeout=ANSWER_TIMEOUT_S)
        try:
            return await connection.fetchrow(sql, *arguments, timeout=ANSWER_TIMEOUT_S)
        finally:
            await connection.close(timeout=ANSWER_TIMEOUT_S)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return None
