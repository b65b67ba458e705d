"""How far the log has been read: offsets, what is pending, and the watermark."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from service.domain.ids import Offset, Partition
from service.store.engine import Connection


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one partition has been consumed."""

    next_offset: Offset
    events: int
    """Events consumed, ever."""
    newest_received_us: int
    drained_us: int
    """When it was last seen empty."""

    @property
    def reached_us(self) -> int:
        """Everything received before this instant has been consumed."""
        return max(self.newest_received_us, self.drained_us)


# Where each partition of a generation stands.
SELECT_PROGRESS = """
select partition, next_offset, events, newest_received_us, drained_us
from partition_progress where generation = $1 order by partition
"""

# Notes that partitions were seen empty, if nobody has read on and the lease is still ours.
MARK_DRAINED = """
update partition_progress p
set drained_us = greatest(p.drained_us, $6)
from unnest($3::int[], $4::bigint[], $5::bigint[]) as seen (partition, next_offset, epoch)
join lease l on l.resource = format('log/%s/%s', $1::int, seen.partition) and l.owner = $2 and l.epoch = seen.epoch
where p.generation = $1 and p.partition = seen.partition and p.next_offset = seen.next_offset
"""

# The least of what the partitions have reached, those seen empty counting as of then.
SELECT_WATERMARK = """
select min(greatest(newest_received_us, drained_us)) from partition_progress where generation = $1
"""

# Sequences of producers that are missing in the log.
SELECT_GAPS = "select coalesce(sum(gaps), 0)::bigint from producer_progress where generation = $1"


async def positions(connection: Connection, generation: int) -> dict[Partition, Progress]:
    """Read where every partition stands."""
    rows = await connection.fetch(SELECT_PROGRESS, generation)
    return {
        Partition(row["partition"]): Progress(
            Offset(row["next_offset"]), row["events"], row["newest_received_us"], row["drained_us"]
        )
        for row in rows
    }


async def mark_drained(
    connection: Connection,
    *,
    generation: int,
    owner: UUID,
    seen: Mapping[Partition, Offset],
    epochs: Mapping[Partition, int],
    at_us: int,
) -> None:
    """Note that these partitions held nothing from these offsets on at `at_us`."""
    held: Collection[Partition] = sorted(seen)
    await connection.execute(
        MARK_DRAINED,
        generation,
        owner,
        held,
        [seen[partition] for partition in held],
        [epochs[partition] for partition in held],
        at_us,
    )


async def watermark_us(connection: Connection, generation: int) -> int:
    """Read the watermark: everything received before this instant stands in the rollups (0: nothing yet)."""
    found: int | None = await connection.fetchval(SELECT_WATERMARK, generation)
    return found or 0


async def gaps(connection: Connection, generation: int) -> int:
    """Count the records that producers numbered and no reader has seen."""
    found: int = await connection.fetchval(SELECT_GAPS, generation)
    return found
