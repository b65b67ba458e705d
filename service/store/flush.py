"""The flush: offsets, ids, rollups, dead letters and ledger of a batch, in one transaction or not at all.

Whatever it does after the copy happens in turns: one flush of the installation at a time (docs/adr/0002).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from service.domain.ids import Offset, Partition
from service.errors import BatchStale, LeaseLost
from service.store.engine import Connection
from service.store.merges import MERGES
from service.store.staging import Staged, copy

TURN = 7_419_003
"""The advisory lock of the turn; whoever changes what batches are folded with takes it too."""


@dataclass(frozen=True, slots=True)
class Move:
    """How far a batch moves one partition."""

    partition: Partition
    epoch: int
    first_offset: Offset
    next_offset: Offset
    events: int
    newest_received_us: int
    """0 where the batch holds nothing of it."""
    drained_us: int
    """When it was seen empty after these records; 0: it was not."""


# Waits for the turn. Temporary tables have no statistics, and plans are kept while rollups grow: only look-ups by key
# never read a whole rollup for a few rows.
TAKE_TURN = """
select set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
    set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true), pg_advisory_xact_lock($1)
"""

# Moves the offsets if each is where the batch began and each lease is ours and alive; answers how many moved.
SWAP = """
with moved as (
    update partition_progress p
    set next_offset = s.next_offset, events = p.events + s.events,
        newest_received_us = greatest(p.newest_received_us, s.newest_received_us),
        drained_us = greatest(p.drained_us, s.drained_us)
    from flush_progress s
    join lease l on l.resource = format('log/%s/%s', s.generation, s.partition)
    where p.generation = s.generation and p.partition = s.partition and p.next_offset = s.first_offset
        and l.owner = $1 and l.epoch = s.epoch and l.expires_at > clock_timestamp()
    returning 1
)
select count(*) from moved
"""

# Whether a tenant's configuration changed since the batch was folded, or an hour of its events was closed.
STALE = """
select exists (select from flush_version s join tenant t on t.id = s.tenant where t.config_version <> s.version)
    or exists (
        select from flush_hours s join tenant_hours h on h.tenant = s.tenant and h.day = date '1970-01-01' + s.day
        where h.closed & s.had <> 0
    )
"""


async def flush(connection: Connection, *, generation: int, owner: UUID, moves: Sequence[Move], staged: Staged) -> None:
    """Write a batch; `connection` has the temporary tables (make_stages).

    Raises LeaseLost when a partition is not ours any more or has been moved by another, BatchStale when the
    batch has to be decided and folded again, and asyncpg's errors; nothing is written then.
    """
    staged.rows["progress"] = [
        (
            generation,
            move.partition,
            move.epoch,
            move.first_offset,
            move.next_offset,
            move.events,
            move.newest_received_us,
            move.drained_us,
        )
        for move in moves
    ]
    stages = staged.stages()
    async with connection.transaction():
        await copy(connection, staged)
        await connection.execute(TAKE_TURN, TURN)
        moved = await connection.fetchval(SWAP, owner)
        if moved != len(moves):
            names = ", ".join(str(move.partition) for move in moves)
            raise LeaseLost(
                f"{len(moves) - moved} of the partitions {names} of generation {generation} are held by another worker"
            )
        if await connection.fetchval(STALE):
            raise BatchStale("a configuration changed or an hour was closed while the batch was folded")
        for stage, statement in MERGES:
            if stage in stages:
                await connection.execute(statement)
