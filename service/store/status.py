"""What `tidegauge status` shows: who holds what, how far each partition has come, and the rates."""

from dataclasses import dataclass
from datetime import datetime

from service.store.engine import Connection

# Each partition of the generation that is written, with the process that holds it. What Kafka holds was counted within the
# last seconds, by aggregators and the API; everything received before `reached_us` was consumed, so nothing pending is older.
_PARTITIONS = """
select l.partition, greatest(l.events, p.events) as appended, p.events as consumed,
       greatest(p.newest_received_us, p.drained_us) as reached_us,
       s.epoch, s.expires_at > clock_timestamp() as held, w.host, w.pid,
       coalesce(
           (select r.appended_us from log_record r
            where r.generation = l.generation and r.partition = l.partition and r."offset" = p.next_offset),
           case when l.events > p.events then nullif(greatest(p.newest_received_us, p.drained_us), 0) end
       ) as oldest_us
from log_partition l
join partition_progress p using (generation, partition)
left join lease s on s.resource = format('log/%s/%s', l.generation, l.partition)
left join worker w on w.id = s.owner
where l.generation = $1
order by l.partition
"""

# Processes that have shown that they live within the last minute.
_WORKERS = """
select role, host, pid, started_at, beat_at from worker
where beat_at > clock_timestamp() - interval '1 minute' order by role, host, pid
"""

# The living process that holds a lease.
_HOLDER = """
select w.role, w.host, w.pid, w.started_at, w.beat_at from lease l join worker w on w.id = l.owner
where l.resource = $1 and l.expires_at > clock_timestamp()
"""


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """One partition of the log; instants in microseconds since 1970."""

    partition: int
    appended: int
    consumed: int
    reached_us: int
    """Everything received before it has been consumed."""
    epoch: int | None
    held: bool | None
    host: str | None
    pid: int | None
    oldest_us: int | None
    """When the oldest record that is pending was appended."""


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A process that lives."""

    role: str
    host: str
    pid: int
    started_at: datetime
    beat_at: datetime


async def partitions(connection: Connection, generation: int) -> list[PartitionStatus]:
    """Where every partition stands."""
    return [PartitionStatus(**dict(row)) for row in await connection.fetch(_PARTITIONS, generation)]


async def workers(connection: Connection) -> list[WorkerStatus]:
    """Who works."""
    return [WorkerStatus(**dict(row)) for row in await connection.fetch(_WORKERS)]


async def holder(connection: Connection, resource: str) -> WorkerStatus | None:
    """Who holds a lease; None: nobody."""
    row = await connection.fetchrow(_HOLDER, resource)
    return None if row is None else WorkerStatus(**dict(row))


async def answers(connection: Connection) -> None:
    """Ask Postgres for nothing but an answer."""
    await connection.execute("select true")
