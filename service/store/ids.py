"""Ids of stored events in Postgres, by partition and hour of the event's time: read, compacted, closed.

A bucket's rows each hold sorted 16-byte hashes; a flush adds rows, compaction makes one of them
(docs/adr/0003).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from service.clock import HOUR
from service.domain.identity import HASH_BYTES
from service.store.engine import Connection
from service.store.flush import TAKE_TURN, TURN

COMPACT_ROWS = 32
"""A bucket with more rows than this is worth compacting."""
COMPACT_BUCKETS = 64
"""Buckets that one call compacts at the most."""
CLOSE_HOURS = 240
"""Hours that one call closes at the most."""
KEPT_DAYS = 30
"""Ids stay so long after the last event that was written to their hour."""
CLOCK_HOURS = 1
"""Allowance for the clocks of producers, beyond max_lateness."""


class Bucket(NamedTuple):
    """Where the ids of events lie that happened in one hour."""

    partition: int
    hour: int
    """Of the event's time, since 1970."""


class TenantDay(NamedTuple):
    """A UTC day of a tenant, since 1970."""

    tenant: int
    day: int


# All ids of some buckets.
SELECT_IDS = """
select s.partition, s.hour, s.hashes
from unnest($2::int[], $3::int[]) as w (partition, hour)
join seen_ids s on s.generation = $1 and s.partition = w.partition and s.hour = w.hour
order by s.partition, s.hour, s.first_offset
"""

# Hours of tenants whose ids are gone.
SELECT_CLOSED = """
select h.tenant, w.day, h.closed
from unnest($1::int[], $2::int[]) as w (tenant, day)
join tenant_hours h on h.tenant = w.tenant and h.day = date '1970-01-01' + w.day
where h.closed <> 0
"""

# Buckets of many rows, the fullest first; those that are still written to can wait.
SELECT_FRAGMENTED = """
select partition, hour from seen_ids
where generation = $1
group by partition, hour having count(*) > $2
order by count(*) desc limit $3
"""

# Whether a generation is still in use; the switch to another one waits until the commit. After it, ids are being deleted:
# what is left of an hour must neither be taken for all of it nor written anew.
IN_USE = "select true from installation where generation = $1 for share"

# One bucket's rows. Locked: two compactions of a bucket must not both write what they read.
LOCK_BUCKET = """
select first_offset, hashes, written_at from seen_ids
where generation = $1 and partition = $2 and hour = $3
order by first_offset for update
"""

# Replaces the rows that were read by one; rows that came meanwhile stay.
DELETE_ROWS = "delete from seen_ids where generation = $1 and partition = $2 and hour = $3 and first_offset = any($4::bigint[])"

# The one row; written when the newest of the old ones was.
INSERT_ROW = """
insert into seen_ids (generation, partition, hour, first_offset, hashes, written_at) values ($1, $2, $3, $4, $5, $6)
"""

# The oldest hours that lie before a limit and that nothing was written to for a while.
SELECT_CLOSABLE = """
select hour from seen_ids
where generation = $1 and hour < $2
group by hour having max(written_at) < now() - $3 * interval '1 day'
order by hour limit $4
"""

# Closes hours for the tenants that had events in them.
CLOSE_HOURS_OF_TENANTS = """
update tenant_hours h set closed = h.closed | (h.had & w.mask)
from (
    select date '1970-01-01' + hour / 24 as day, bit_or(1 << hour % 24) as mask from unnest($1::int[]) as u (hour) group by 1
) w
where h.day = w.day and h.had & w.mask & ~h.closed <> 0
"""

# Lets the ids of closed hours go.
DELETE_HOURS = "delete from seen_ids where generation = $1 and hour = any($2::int[])"


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a compaction did."""

    buckets: int
    rows: int
    """Rows that became one a bucket."""


async def load(connection: Connection, generation: int, buckets: Collection[Bucket]) -> dict[Bucket, bytes]:
    """Load the packed hashes of buckets in one query; a bucket with none is left out. Runs are not merged."""
    rows = await connection.fetch(
        SELECT_IDS, generation, [bucket.partition for bucket in buckets], [bucket.hour for bucket in buckets]
    )
    found: dict[Bucket, list[bytes]] = {}
    for row in rows:
        found.setdefault(Bucket(row["partition"], row["hour"]), []).append(row["hashes"])
    return {bucket: b"".join(parts) for bucket, parts in found.items()}


async def closed_hours(connection: Connection, days: Collection[TenantDay]) -> dict[TenantDay, int]:
    """Read which hours of tenants' days are closed, as 24-bit masks; days with none are left out."""
    rows = await connection.fetch(SELECT_CLOSED, [day.tenant for day in days], [day.day for day in days])
    return {TenantDay(row["tenant"], row["day"]): row["closed"] for row in rows}


async def compact(connection: Connection, generation: int) -> Compacted:
    """Make one row of the many of a bucket, for at most COMPACT_BUCKETS buckets, each in its own transaction.

    Does nothing once the log goes on in another generation.
    """
    buckets = await connection.fetch(SELECT_FRAGMENTED, generation, COMPACT_ROWS, COMPACT_BUCKETS)
    merged = 0
    for partition, hour in buckets:
        async with connection.transaction():
            if not await connection.fetchval(IN_USE, generation):
                break
            rows = await connection.fetch(LOCK_BUCKET, generation, partition, hour)
            if len(rows) < 2:  # noqa: PLR2004  # another process was faster
                continue
            offsets = [row["first_offset"] for row in rows]
            packed = pack_sorted(b"".join(row["hashes"] for row in rows))
            written_at = max(row["written_at"] for row in rows)
            await connection.execute(DELETE_ROWS, generation, partition, hour, offsets)
            await connection.execute(INSERT_ROW, generation, partition, hour, offsets[0], packed, written_at)
            merged += len(rows)
    return Compacted(len(buckets), merged)


async def close_hours(connection: Connection, generation: int, *, reached_us: int, max_lateness_us: int) -> int:
    """Let go of ids that no live event can be a copy of any more; returns how many hours were closed.

    `reached_us`: the watermark. An hour goes when it lies more than `max_lateness_us` and CLOCK_HOURS before it and
    nothing was written to it for KEPT_DAYS; for tenants that had events in it, it is closed from then on. Takes the
    turn, so that no flush writes to an hour while it is closed. 0 as well once the log goes on in another generation.
    """
    before = (reached_us - max_lateness_us) // HOUR - CLOCK_HOURS
    async with connection.transaction():
        await connection.execute(TAKE_TURN, TURN)
        if not await connection.fetchval(IN_USE, generation):
            return 0
        rows = await connection.fetch(SELECT_CLOSABLE, generation, before, KEPT_DAYS, CLOSE_HOURS)
        hours = [row["hour"] for row in rows]
        if hours:
            await connection.execute(CLOSE_HOURS_OF_TENANTS, hours)
            await connection.execute(DELETE_HOURS, generation, hours)
    return len(hours)


def pack_sorted(packed: bytes) -> bytes:
    """Sort packed hashes and drop repetitions."""
    hashes = np.frombuffer(packed, dtype=f"S{HASH_BYTES}")
    # Fixed-width bytes compare without their trailing zeros, which is no other order and no other equality.
    return np.unique(hashes).tobytes()
