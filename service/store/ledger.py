"""The ledger: everything that was appended is stored, duplicate, dead-lettered or pending."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from service.domain.ids import Offset, Partition
from service.store.engine import Connection

# What each partition holds and how far it was consumed; pending events are counted from the records themselves.
SELECT_PARTITIONS = """
select l.generation, l.partition, p.next_offset, l.events as appended, p.events as consumed,
    coalesce(r.events, 0)::bigint as pending
from log_partition l
join partition_progress p using (generation, partition)
left join lateral (
    select sum(o.events) as events from log_record o
    where o.generation = l.generation and o.partition = l.partition and o."offset" >= p.next_offset
) r on true
order by l.generation, l.partition
"""

# What became of everything that was consumed.
SELECT_OUTCOMES = """
select coalesce(sum(stored), 0)::bigint as stored, coalesce(sum(duplicate), 0)::bigint as duplicate,
    coalesce(sum(dead_lettered), 0)::bigint as dead_lettered
from ledger
"""

# Sequences of producers that are missing in the log.
SELECT_GAPS = "select coalesce(sum(gaps), 0)::bigint from producer_progress"


@dataclass(frozen=True, slots=True)
class PartitionLedger:
    """One partition: `appended = consumed + pending`."""

    generation: int
    partition: int
    appended: int
    consumed: int
    pending: int
    """Events of the records that lie in the log unread."""


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """The whole installation as of one instant."""

    partitions: tuple[PartitionLedger, ...]
    stored: int
    duplicate: int
    dead_lettered: int
    gaps: int
    """Records that producers numbered and the log does not hold."""

    @property
    def appended(self) -> int:
        """Events ever appended."""
        return sum(partition.appended for partition in self.partitions)

    @property
    def consumed(self) -> int:
        """Events consumed, of all partitions."""
        return sum(partition.consumed for partition in self.partitions)

    @property
    def pending(self) -> int:
        """Events appended and not yet consumed."""
        return sum(partition.pending for partition in self.partitions)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """What does not add up, a sentence each; empty: the ledger is right."""
        return tuple(self._mistakes())

    def _mistakes(self) -> Iterator[str]:
        for part in self.partitions:
            if part.appended != part.consumed + part.pending:
                yield (
                    f"partition {part.partition} of generation {part.generation}: {part.appended} events appended, but "
                    f"{part.consumed} consumed and {part.pending} pending"
                )
        outcomes = self.stored + self.duplicate + self.dead_lettered
        if outcomes != self.consumed:
            yield (
                f"{self.consumed} events consumed, but {self.stored} stored, {self.duplicate} duplicate and "
                f"{self.dead_lettered} dead-lettered make {outcomes}"
            )
        if self.gaps:
            yield f"{self.gaps} records are missing in the log: producers numbered them and no reader saw them"


class Counts(Protocol):
    """What a log that is not in this database says of itself."""

    @property
    def generation(self) -> int:
        """The generation that it counts."""
        ...

    async def __call__(self, positions: Mapping[Partition, Offset]) -> Mapping[Partition, tuple[int, int | None]]:
        """Events ever appended, and those from these positions on (None: what was appended and not consumed)."""
        ...


async def check(connection: Connection, counts: Counts | None = None) -> LedgerReport:
    """Add the ledger up, at one instant, while everything goes on; `counts`: of a log that lies elsewhere.

    Such a log is asked after the database: it only grows, so nothing is consumed that it does not know.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows = await connection.fetch(SELECT_PARTITIONS)
        outcomes = await connection.fetchrow(SELECT_OUTCOMES)
        gaps = await connection.fetchval(SELECT_GAPS)
    partitions = [dict(row) for row in rows]
    held = await counts(_positions(partitions, counts.generation)) if counts else {}
    return LedgerReport(
        partitions=tuple(
            _partition(row, held if counts and row["generation"] == counts.generation else {}) for row in partitions
        ),
        gaps=gaps,
        **dict(outcomes or {}),
    )


def _positions(rows: Iterable[Mapping[str, Any]], generation: int) -> dict[Partition, Offset]:
    return {row["partition"]: row["next_offset"] for row in rows if row["generation"] == generation}


def _partition(row: Mapping[str, Any], held: Mapping[Partition, tuple[int, int | None]]) -> PartitionLedger:
    appended, pending = held.get(row["partition"], (row["appended"], row["pending"]))
    pending = appended - row["consumed"] if pending is None else pending
    return PartitionLedger(row["generation"], row["partition"], appended, row["consumed"], pending)


# One tenant's events by source and UTC day of receipt, the newest day first.
SELECT_OF_TENANT = """
select source, to_char(day, 'YYYY-MM-DD') as day, stored, duplicate, dead_lettered
from ledger
where tenant = $1 and ($2::text is null or source = $2) and ($3::date is null or (day, source) < ($3, $4::text))
order by day desc, source desc
limit $5
"""


@dataclass(frozen=True, slots=True)
class SourceDay:
    """What became of a source's events that were received on one UTC day."""

    source: str
    day: str
    stored: int
    duplicate: int
    dead_lettered: int


async def of_tenant(
    connection: Connection, tenant: int, *, source: str | None, after: tuple[date, str] | None, limit: int
) -> list[SourceDay]:
    """At most `limit` rows of a tenant's ledger, the newest day first, beginning behind `after` (day, source)."""
    rows = await connection.fetch(SELECT_OF_TENANT, tenant, source, *(after or (None, None)), limit)
    return [SourceDay(**dict(row)) for row in rows]
