"""Leases: who works on what, with an epoch that fences writes, by Postgres's clock.

One mechanism for the partitions of both logs (`log/GENERATION/PARTITION`) and for roles (`evaluate`).
See docs/adr/0004.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from service.domain.ids import Partition
from service.store.engine import Connection

TERMINATE_WAIT_MS = 1_000
DEAD_AFTER_LEASES = 10


@dataclass(frozen=True, slots=True)
class Backend:
    """A server process of Postgres: its id is given out again, together with its start it is not."""

    pid: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """A process part that shares the work of a role."""

    id: UUID
    role: str
    host: str
    pid: int


@dataclass(frozen=True, slots=True)
class Crew:
    """The living members of a role: how many, and our place among them (from 0, in the order of ids)."""

    size: int
    rank: int

    def share(self, resources: int) -> int:
        """How many of so many resources are ours: shares differ by one at the most and add up."""
        return resources // self.size + (self.rank < resources % self.size)


@dataclass(frozen=True, slots=True)
class Lease:
    """A resource that is held; whoever takes it next gets a higher epoch."""

    resource: str
    epoch: int


def log_resource(generation: int, partition: Partition) -> str:
    """Name the lease of one partition of the log."""
    return f"log/{generation}/{partition}"


# The server process behind this connection.
SELECT_BACKEND = "select pid, backend_start from pg_stat_activity where pid = pg_backend_pid()"

# Shows that a member lives, and forgets those that have long been silent.
BEAT = """
with silent as (
    delete from worker where role = $2 and id <> $1 and beat_at < clock_timestamp() - $5 * interval '1 second'
)
insert into worker (id, role, host, pid) values ($1, $2, $3, $4)
on conflict (id) do update set beat_at = clock_timestamp()
"""

# The living members of a role.
SELECT_CREW = "select id from worker where role = $1 and beat_at > clock_timestamp() - $2 * interval '1 second'"

# A member that stops cleanly leaves its share to the others at once.
LEAVE = "delete from worker where id = $1"

# Leases are rows from the first time that anyone wants them.
ADD_LEASES = "insert into lease (resource) select unnest($1::text[]) on conflict do nothing"

# Takes free and expired leases; one that another process is just taking is passed over. Answers with the former backends.
TAKE = """
with wanted as (
    select l.resource, l.backend_pid, l.backend_start
    from lease l
    where l.resource = any($2::text[]) and (l.owner is null or l.owner = $1 or l.expires_at <= clock_timestamp())
    order by l.resource
    limit $3
    for update skip locked
), taken as (
    update lease l
    set owner = $1, epoch = l.epoch + 1, expires_at = clock_timestamp() + $4 * interval '1 second',
        backend_pid = $5, backend_start = $6
    from wanted w
    where l.resource = w.resource
    returning l.resource, l.epoch
)
select t.resource, t.epoch, w.backend_pid, w.backend_start from taken t join wanted w using (resource)
"""

# Ends the server processes of those who let their leases expire: one that is stopped inside a COPY holds its locks for ever.
TERMINATE = """
select pg_terminate_backend(a.pid, $3)
from unnest($1::int[], $2::timestamptz[]) as former (pid, started_at)
join pg_stat_activity a on a.pid = former.pid and a.backend_start = former.started_at
where a.pid <> pg_backend_pid()
"""

# Prolongs what nobody has taken, and names the backend that now writes under it.
RENEW = """
update lease l
set expires_at = clock_timestamp() + $4 * interval '1 second', backend_pid = $5, backend_start = $6
from unnest($2::text[], $3::bigint[]) as held (resource, epoch)
where l.resource = held.resource and l.owner = $1 and l.epoch = held.epoch
returning l.resource
"""

# Gives leases back at once.
RELEASE = """
update lease l
set owner = null, expires_at = null, backend_pid = null, backend_start = null
from unnest($2::text[], $3::bigint[]) as held (resource, epoch)
where l.resource = held.resource and l.owner = $1 and l.epoch = held.epoch
"""


async def backend_of(connection: Connection) -> Backend:
    """Ask which server process serves this connection."""
    row = await connection.fetchrow(SELECT_BACKEND)
    assert row is not None  # noqa: S101  # our own process is always listed
    return Backend(row["pid"], row["backend_start"])


async def beat(connection: Connection, member: Member, *, lease_s: float) -> Crew:
    """Show that `member` lives and count the crew; to be called at least every third of `lease_s`."""
    await connection.execute(BEAT, member.id, member.role, member.host, member.pid, DEAD_AFTER_LEASES * lease_s)
    # We live, even if we were stopped for a lease between the two statements.
    living = {row["id"] for row in await connection.fetch(SELECT_CREW, member.role, lease_s)} | {member.id}
    return Crew(size=len(living), rank=sorted(living).index(member.id))


async def leave(connection: Connection, member: Member) -> None:
    """Take `member` out of the crew."""
    await connection.execute(LEAVE, member.id)


async def take(
    connection: Connection, *, owner: UUID, resources: Collection[str], most: int, lease_s: float, backend: Backend
) -> list[Lease]:
    """Take at most `most` of these resources that are free or expired, each with a new epoch.

    `backend` is the one that will write under the leases. The backends of former holders are terminated.
    """
    names = sorted(resources)
    await connection.execute(ADD_LEASES, names)
    rows = await connection.fetch(TAKE, owner, names, most, lease_s, backend.pid, backend.started_at)
    former = {(row["backend_pid"], row["backend_start"]) for row in rows if row["backend_pid"] is not None}
    former.discard((backend.pid, backend.started_at))
    if former:
        pids, starts = zip(*former, strict=True)
        await connection.fetch(TERMINATE, pids, starts, TERMINATE_WAIT_MS)
    return [Lease(row["resource"], row["epoch"]) for row in rows]


async def renew(connection: Connection, *, owner: UUID, leases: Sequence[Lease], lease_s: float, backend: Backend) -> set[str]:
    """Prolong leases; returns the resources that are still held: the others were taken."""
    names, epochs = [lease.resource for lease in leases], [lease.epoch for lease in leases]
    rows = await connection.fetch(RENEW, owner, names, epochs, lease_s, backend.pid, backend.started_at)
    return {row["resource"] for row in rows}


async def release(connection: Connection, *, owner: UUID, leases: Sequence[Lease]) -> None:
    """Give leases back, so that others need not wait for their expiry."""
    await connection.execute(RELEASE, owner, [lease.resource for lease in leases], [lease.epoch for lease in leases])
