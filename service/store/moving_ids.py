"""Copying the ids of stored events to the partitions of another generation, in bounded chunks, as often as it takes.

Everything goes on meanwhile: flushes add rows, compaction makes one of many, hours are closed. A row counts as copied as
long as it is as long as it was then (a compacted row holds the ids of all it was made of). Ids that are copied twice do no
harm: a bucket is a set.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import numpy as np

from service.domain.identity import HASH_BYTES
from service.domain.ids import Partition
from service.store.engine import Connection
from service.store.ids import pack_sorted

CHUNK_BYTES = 16 * 1024 * 1024
"""Ids that one transaction copies; a single row may be larger."""
LISTED_ROWS = 1_000
"""Rows that one call copies at the most."""

# Rows that have not been copied as they are now, hour by hour.
SELECT_UNCOPIED = """
select s.partition, s.hour, s.first_offset, octet_length(s.hashes) as bytes
from seen_ids s left join copied_ids c using (generation, partition, hour, first_offset)
where s.generation = $1 and c.bytes is distinct from octet_length(s.hashes)
order by s.hour, s.partition, s.first_offset limit $2
"""

# How much there is to copy.
COUNT_UNCOPIED = """
select count(*) as rows, coalesce(sum(octet_length(s.hashes)), 0)::bigint as bytes
from seen_ids s left join copied_ids c using (generation, partition, hour, first_offset)
where s.generation = $1 and c.bytes is distinct from octet_length(s.hashes)
"""

# The rows of a chunk; those that are gone meanwhile lie in another row.
SELECT_CHUNK = """
select s.partition, s.hour, s.first_offset, s.hashes, s.written_at
from unnest($2::int[], $3::int[], $4::bigint[]) as w (partition, hour, first_offset)
join seen_ids s on s.generation = $1 and s.partition = w.partition and s.hour = w.hour and s.first_offset = w.first_offset
order by s.hour
"""

# A number below all that copies were given: flushes count from 0 on.
NEXT_PLACE = "select coalesce(min(copied_as), 0) - 1 from copied_ids where generation = $1"

# Notes what was copied, and how long it was.
NOTE_COPIED = """
insert into copied_ids (generation, partition, hour, first_offset, bytes, copied_as)
select $1, n.partition, n.hour, n.first_offset, n.bytes, $6
from unnest($2::int[], $3::int[], $4::bigint[], $5::bigint[]) as n (partition, hour, first_offset, bytes)
on conflict (generation, partition, hour, first_offset) do update set bytes = excluded.bytes, copied_as = excluded.copied_as
"""


@dataclass(frozen=True, slots=True)
class Uncopied:
    """What is left to be copied."""

    rows: int
    size_bytes: int

    @property
    def ids(self) -> int:
        """How many ids that is."""
        return self.size_bytes // HASH_BYTES


Row = tuple[int, int, int, int]
"""Partition, hour, first offset and bytes."""


async def uncopied(connection: Connection, generation: int) -> Uncopied:
    """Count what is left to be copied out of a generation."""
    row = await connection.fetchrow(COUNT_UNCOPIED, generation)
    assert row is not None  # noqa: S101  # a count always answers
    return Uncopied(row["rows"], row["bytes"])


async def copy_some(connection: Connection, generation: int, *, partitions: int) -> int:
    """Copy at most LISTED_ROWS rows of a generation to the next one, which has so many partitions; returns how many ids.

    Each chunk is a transaction: whoever is killed goes on behind the last one. 0: at this instant everything is copied.
    """
    listed = [tuple(row) for row in await connection.fetch(SELECT_UNCOPIED, generation, LISTED_ROWS)]
    copied = 0
    for chunk in _chunks(listed):
        copied += await _copy(connection, generation, chunk, partitions=partitions)
    return copied


def _chunks(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Rows in their order, CHUNK_BYTES or one row at a time."""
    chunk: list[Row] = []
    size = 0
    for row in rows:
        if chunk and size + row[3] > CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += row[3]
    if chunk:
        yield chunk


async def _copy(connection: Connection, generation: int, chunk: Sequence[Row], *, partitions: int) -> int:
    async with connection.transaction():
        keys = ([row[0] for row in chunk], [row[1] for row in chunk], [row[2] for row in chunk])
        found = await connection.fetch(SELECT_CHUNK, generation, *keys)
        place = await connection.fetchval(NEXT_PLACE, generation)
        made: list[tuple[int, int, int, int, bytes, datetime]] = []
        for hour, rows in groupby(found, key=lambda row: row["hour"]):
            several = list(rows)
            written_at = max(row["written_at"] for row in several)
            for partition, packed in split(b"".join(row["hashes"] for row in several), partitions):
                made.append((generation + 1, partition, hour, place, packed, written_at))
        columns = ("generation", "partition", "hour", "first_offset", "hashes", "written_at")
        await connection.copy_records_to_table("seen_ids", records=made, columns=columns)
        noted = ([row[name] for row in found] for name in ("partition", "hour", "first_offset"))
        await connection.execute(NOTE_COPIED, generation, *noted, [len(row["hashes"]) for row in found], place)
    return sum(len(row["hashes"]) for row in found) // HASH_BYTES


def split(packed: bytes, partitions: int) -> Iterator[tuple[Partition, bytes]]:
    """Packed ids by the partition that domain/identity.py chooses for them, sorted; partitions without any are left out."""
    ids = np.frombuffer(pack_sorted(packed), dtype=f"S{HASH_BYTES}")
    places = np.frombuffer(ids.tobytes(), dtype=">u8")[::2] % np.uint64(partitions)
    for partition in np.unique(places).tolist():
        yield Partition(partition), ids[places == partition].tobytes()
