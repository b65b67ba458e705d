"""Everything that is counted, at one moment, and the difference between two of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from loadtests.role import Role
from loadtests.site import Site

CONSUMED = "select coalesce(sum(events), 0)::bigint from partition_progress"


@dataclass(frozen=True, slots=True)
class Marks:
    """One moment."""

    at_s: float
    events: int
    """Consumed from the log and in the rollups."""
    cpu_s: dict[str, float]
    wal: int

    def us_since(self, before: "Marks", events: int) -> dict[str, float]:
        """CPU an event since then, by process, for so many events."""
        return {name: (used - before.cpu_s[name]) * 1e6 / max(1, events) for name, used in self.cpu_s.items()}


async def mark(site: Site, connection: asyncpg.Connection, roles: Sequence[Role]) -> Marks:
    """Count everything now."""
    events = await consumed(connection)
    used = {role.name: role.cpu_s() for role in roles} | site.servers_cpu_s()
    return Marks(asyncio.get_running_loop().time(), events, used, await wal_position(connection))


async def consumed(connection: asyncpg.Connection) -> int:
    """Events that aggregators have made rollups of."""
    events: int = await connection.fetchval(CONSUMED)
    return events


async def wal_position(connection: asyncpg.Connection) -> int:
    """Bytes of WAL ever written."""
    position: int = await connection.fetchval("select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
    return position
