"""Going to the next generation of the log: what is under way, how far it came, and the switch itself (docs/adr/0010)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from service.domain.ids import Offset, Partition
from service.errors import AlreadyExists, LogMismatch, NotFound, StoreUnavailable
from service.store.engine import Connection
from service.store.flush import TAKE_TURN, TURN
from service.store.installation import EVALUATE_LEASE, INSERT_PARTITIONS, Installation, installed

ONLY_ONE = 7_419_005
"""The advisory lock of whoever repartitions; it ends with the session."""
FORGET_ROWS = 500
"""Rows of ids that one statement deletes."""

# One command at a time. A command that was killed holds it no longer than its session.
TAKE_ONLY_ONE = "select pg_try_advisory_lock($1)"

# The repartition that is not finished: one at the most.
SELECT_UNDER_WAY = "select generation, log_kind, partitions, former_kind, phase from repartition where phase <> 'done'"

# Begins one, and notes for good what the next generation will be.
INSERT_REPARTITION = """
insert into repartition (generation, log_kind, partitions, former_kind, phase) values ($1, $2, $3, $4, 'copying')
"""

# Nothing may be appended to the generation from now on, as far as that is ours to say.
BEGIN_SEALING = """
update repartition set phase = 'draining', sealed_at = coalesce(sealed_at, clock_timestamp())
where generation = $1 and phase in ('copying', 'draining')
"""

# The log in Postgres ends where it is. The counters are locked as appends lock them: each append is before this or refused.
SEAL = """
with locked as (
    select c.partition from log_partition c where c.generation = $1 order by c.partition for no key update
)
update log_partition c set sealed_offset = c.next_offset
from locked l where c.generation = $1 and c.partition = l.partition
"""

# A log that lies elsewhere was sealed there, at these offsets.
NOTE_SEALED = """
update log_partition c set sealed_offset = n.sealed
from unnest($2::int[], $3::bigint[]) as n (partition, sealed)
where c.generation = $1 and c.partition = n.partition
"""

# How far the generation is from being drained, a row a partition.
SELECT_DRAINING = """
select l.partition, l.sealed_offset, l.next_offset, p.next_offset as consumed_to, l.events, p.events as consumed
from log_partition l join partition_progress p using (generation, partition)
where l.generation = $1 order by l.partition
"""

# The next generation is the one that is written and read, if the one before it still is and this is still under way.
SWITCH = """
with former as (
    update repartition set phase = 'cleaning', switched_at = clock_timestamp()
    where generation = $1 and phase = 'draining' returning log_kind, partitions
)
update installation i set log_kind = f.log_kind, generation = $1, partitions = f.partitions
from former f where i.generation = $1 - 1
returning true
"""

# Everything received before the watermark of the former generation stands in the rollups: the watermark never goes back.
CARRY_WATERMARK = """
update partition_progress n set drained_us = o.reached_us
from (select min(greatest(newest_received_us, drained_us)) as reached_us from partition_progress where generation = $1 - 1) o
where n.generation = $1
"""

# A bounded number of the rows of ids of generations before one.
FORGET_IDS = """
delete from seen_ids where ctid = any(array(select ctid from seen_ids where generation < $1 limit $2))
"""

# What was copied has not to be known any more.
FORGET_COPIED = "delete from copied_ids where generation < $1"

# Leases of former generations that nobody holds.
FORGET_LEASES = """
delete from lease where resource ~ '^log/[0-9]+/' and split_part(resource, '/', 2)::int < $1
    and (owner is null or expires_at < clock_timestamp())
"""

# All is done.
FINISH = "update repartition set phase = 'done' where generation = $1 and phase = 'cleaning'"

# Nothing counts as sealed any more; the phase is a lock as well: what has switched stays.
REOPEN = """
update repartition set phase = 'copying', sealed_at = null
where generation = $1 and phase in ('copying', 'draining') returning true
"""
FORGET_SEALED_OFFSETS = "update log_partition set sealed_offset = null where generation = $1 - 1"

# Since when nothing was appended, until the switch.
SELECT_PAUSE = "select extract(epoch from switched_at - sealed_at)::float8 from repartition where generation = $1"

# Takes a repartition back: nothing is left of the next generation.
ABANDON = (
    FORGET_SEALED_OFFSETS,
    "delete from seen_ids where generation = $1",
    "delete from copied_ids where generation = $1 - 1",
    "delete from partition_progress where generation = $1",
    "delete from log_partition where generation = $1",
    "delete from lease where resource ~ ('^log/' || $1::int || '/')",
)
FORGET_REPARTITION = "delete from repartition where generation = $1 and phase in ('copying', 'draining') returning true"


class Phase(StrEnum):
    """How far a repartition has come; each one is begun again where it was broken off."""

    COPYING = "copying"
    """Ids are copied while everything goes on."""
    DRAINING = "draining"
    """Nothing is appended; what was is consumed."""
    CLEANING = "cleaning"
    """The next generation is in use; what is left of the former one goes."""


@dataclass(frozen=True, slots=True)
class Repartition:
    """A repartition that is not finished."""

    generation: int
    """The one that it leads to."""
    log_kind: str
    partitions: int
    former_kind: str
    """Of the generation before it."""
    phase: Phase


@dataclass(frozen=True, slots=True)
class Draining:
    """One partition of a generation that is being drained."""

    partition: Partition
    sealed_offset: Offset | None
    next_offset: Offset
    """Of the log, as far as it was counted."""
    consumed_to: Offset
    events: int
    """Appended, as far as they were counted."""
    consumed: int

    @property
    def done(self) -> bool:
        """All that was appended is consumed, and nothing came after the seal."""
        return self.sealed_offset == self.next_offset == self.consumed_to

    @property
    def beyond_seal(self) -> bool:
        """Something was appended after the seal: it has to be sealed again."""
        return self.sealed_offset is not None and self.next_offset > self.sealed_offset


def unanswered(error: BaseException) -> StoreUnavailable:
    """What a command ends with when Postgres fails in the middle of it."""
    return StoreUnavailable(
        f"Postgres failed in the middle of the repartition ({str(error) or type(error).__name__}): once it answers, "
        f"run `tidegauge repartition` again, which goes on, or take it back with --abandon; if it was sealed, no events are "
        f"taken until then"
    )


async def stand(connection: Connection) -> tuple[Installation, Repartition | None]:
    """What the installation is, and what is under way; raises NotFound where nothing was ever started."""
    installation = await installed(connection)
    if installation is None:
        raise NotFound("nothing was ever started on this database: `tidegauge up` or `tidegauge api` makes the installation")
    row = await connection.fetchrow(SELECT_UNDER_WAY)
    return installation, None if row is None else Repartition(**{**dict(row), "phase": Phase(row["phase"])})


async def be_the_only_one(connection: Connection) -> None:
    """Take the lock of whoever repartitions, until this connection ends; raises AlreadyExists when another one has it."""
    if not await connection.fetchval(TAKE_ONLY_ONE, ONLY_ONE):
        raise AlreadyExists("another `tidegauge repartition` works on this installation: wait for it, or stop it first")


async def begin(connection: Connection, installation: Installation, *, log_kind: str, partitions: int) -> Repartition:
    """Note what the next generation will be, and make its counters, progress and leases, all at once."""
    generation = installation.generation + 1
    async with connection.transaction():
        await connection.execute(INSERT_REPARTITION, generation, log_kind, partitions, installation.log_kind)
        await connection.execute(INSERT_PARTITIONS, generation, partitions, EVALUATE_LEASE)
    return Repartition(generation, log_kind, partitions, installation.log_kind, Phase.COPYING)


async def begin_draining(connection: Connection, under_way: Repartition, *, seal: bool) -> None:
    """From now on nothing may be appended to the former generation; `seal`: it lies in Postgres, and ends here."""
    async with connection.transaction():
        await connection.execute(BEGIN_SEALING, under_way.generation)
        if seal:
            await connection.execute(SEAL, under_way.generation - 1)


async def note_sealed(connection: Connection, generation: int, ends: Mapping[Partition, Offset]) -> None:
    """Note where a log ends that was sealed where it lies."""
    await connection.execute(NOTE_SEALED, generation, list(ends), list(ends.values()))


async def draining(connection: Connection, generation: int) -> list[Draining]:
    """How far each partition of a generation is from being drained."""
    return [Draining(**dict(row)) for row in await connection.fetch(SELECT_DRAINING, generation)]


async def switch(connection: Connection, under_way: Repartition) -> None:
    """Make the next generation the one that is written and read, if the former one is drained.

    No flush runs meanwhile. Raises StoreUnavailable where something is pending after all, LogMismatch where the counts
    do not add up or the installation has gone on by another way.
    """
    former = under_way.generation - 1
    async with connection.transaction():
        await connection.execute(TAKE_TURN, TURN)
        parts = await draining(connection, former)
        if pending := [part.partition for part in parts if not part.done]:
            raise StoreUnavailable(f"the partitions {pending} of generation {former} are not drained yet")
        if wrong := [part.partition for part in parts if part.events != part.consumed]:
            raise LogMismatch(
                f"the counts of the partitions {wrong} of generation {former} do not add up: `tidegauge check` shows them; "
                f"`tidegauge repartition --abandon` takes this back"
            )
        if not await connection.fetchval(SWITCH, under_way.generation):
            raise LogMismatch(f"generation {former} is not the one in use: look at the tables installation and repartition")
        await connection.execute(CARRY_WATERMARK, under_way.generation)


async def forget_some(connection: Connection, under_way: Repartition) -> bool:
    """Delete some of what former generations leave behind; False: nothing is left."""
    status = await connection.execute(FORGET_IDS, under_way.generation, FORGET_ROWS)
    return not status.endswith(" 0")


async def finish(connection: Connection, under_way: Repartition) -> None:
    """All is done."""
    async with connection.transaction():
        await connection.execute(FORGET_COPIED, under_way.generation)
        await connection.execute(FORGET_LEASES, under_way.generation)
        await connection.execute(FINISH, under_way.generation)


async def pause_s(connection: Connection, under_way: Repartition) -> float:
    """For how long no events were taken, over all commands that worked on it; 0 before the switch."""
    return float(await connection.fetchval(SELECT_PAUSE, under_way.generation) or 0)


async def forget_seal(connection: Connection, under_way: Repartition) -> None:
    """Let nothing count as sealed any more, before a seal is broken; raises LogMismatch when it has switched.

    In Postgres this is the seal: from here on the former generation takes appends again.
    """
    async with connection.transaction():
        if not await connection.fetchval(REOPEN, under_way.generation):
            raise LogMismatch(f"generation {under_way.generation} is in use already: go back by another repartition")
        await connection.execute(FORGET_SEALED_OFFSETS, under_way.generation)


async def abandon(connection: Connection, under_way: Repartition) -> None:
    """Take a repartition back that has not switched yet; raises LogMismatch when it has."""
    async with connection.transaction():
        if not await connection.fetchval(FORGET_REPARTITION, under_way.generation):
            raise LogMismatch(f"generation {under_way.generation} is in use already: go back by another repartition")
        for statement in ABANDON:
            await connection.execute(statement, under_way.generation)
