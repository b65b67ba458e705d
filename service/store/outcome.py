"""What became of one event: stored, a dead letter, or not seen up to the watermark."""

from dataclasses import dataclass
from typing import Literal

from service.clock import HOUR
from service.domain.identity import partition_of
from service.domain.reasons import Reason
from service.store.engine import Connection
from service.store.installation import Installation

UNTIMED_HOURS = 24

# Whether the hash stands in a bucket of its partition; a match that is not aligned would be a chance of 2⁻¹²⁸.
_STORED = """
select true from seen_ids
where generation = $1 and partition = $2 and hour between $3 and $4 and position($5::bytea in hashes) > 0
limit 1
"""

# The dead letter of an event whose identity could be read, the newest one.
_DEAD = """
select reason, detail from dead_letter
where tenant = $1 and source = $2 and id_hash = $3
order by received_at desc limit 1
"""

# The dead letter of an event by what it says of itself, the newest one.
_DEAD_AS_WRITTEN = """
select reason, detail from dead_letter
where tenant = $1 and source = $2 and id = $3 and time = $4
order by received_at desc limit 1
"""

# Whether the ids of the event's hour are gone for this tenant.
_CLOSED = """
select closed >> $3 & 1 = 1 from tenant_hours where tenant = $1 and day = date '1970-01-01' + $2::int
"""

Became = Literal["stored", "dead_letter", "not_seen", "hour_closed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`not_seen` speaks up to the watermark; `hour_closed`: too long ago to tell."""

    became: Became
    reason: Reason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EventName:
    """An event as its sender knows it; `time` as it was written, None where it names none."""

    tenant: int
    source: str
    id: str
    time: str | None


async def what_became_of(
    connection: Connection, installation: Installation, asked: EventName, *, id_hash: bytes, time_us: int | None, now_us: int
) -> Outcome:
    """Look one event up by its hash, in the bucket of its hour (of the last day for one without `time`)."""
    if time_us is None:
        last = now_us // HOUR
        hours = (last - UNTIMED_HOURS, last + 1)
    else:
        hours = (time_us // HOUR, time_us // HOUR)
    partition = partition_of(id_hash, installation.partitions)
    if await connection.fetchval(_STORED, installation.generation, partition, *hours, id_hash):
        return Outcome("stored")
    dead = await connection.fetchrow(_DEAD, asked.tenant, asked.source, id_hash)
    if dead is not None:
        return Outcome("dead_letter", Reason(dead["reason"]), dead["detail"])
    if time_us is not None:
        day, hour = divmod(time_us // HOUR, 24)
        if await connection.fetchval(_CLOSED, asked.tenant, day, hour):
            return Outcome("hour_closed")
    return Outcome("not_seen")


async def dead_letter_of(connection: Connection, asked: EventName) -> Outcome | None:
    """The dead letter of an event whose `time` cannot be read; None where there is none."""
    dead = await connection.fetchrow(_DEAD_AS_WRITTEN, asked.tenant, asked.source, asked.id, asked.time or "")
    return Outcome("dead_letter", Reason(dead["reason"]), dead["detail"]) if dead is not None else None
