"""How many events a topic ever took: Kafka counts records only, so the headers are added up, each once, into Postgres.

`log_partition` says how many events lie before an offset. Whoever looks counts on from there and notes how far it came,
before records are dropped at the latest (docs/adr/0008).
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from service.domain.ids import Offset, Partition
from service.errors import LogUnavailable
from service.eventlog.kafka.offsets import KafkaOffsets
from service.eventlog.kafka.reader import KafkaReader
from service.eventlog.port import Backlog, Draft, Stored
from service.eventlog.postgres_statements import ADVANCE_COUNTS, COUNT_PARTITIONS, SELECT_COUNTS
from service.eventlog.refusals import check_count, check_offset

SCAN_BYTES = 16 * 1024 * 1024
SCAN_WAIT_S = 5.0
"""For records that are known to be there: a leader that was just elected may show them a moment later."""
ACQUIRE_TIMEOUT_S = 5.0
_FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Counted:
    """Events of all records of a partition before an offset."""

    next: Offset
    events: int

    def and_(self, events: int) -> "Counted":
        """The same with the record that follows."""
        return Counted(Offset(self.next + 1), self.events + events)


@dataclass(slots=True)
class _Tally:
    """What a scan of one partition has found so far."""

    counted: Counted
    position: Offset
    """From here on records are pending."""
    at: Offset
    end: Offset
    pending: int = 0
    oldest_us: int | None = None

    def add(self, record: Stored) -> None:
        self.at = Offset(record.offset + 1)
        if record.offset == self.counted.next:
            self.counted = self.counted.and_(record.events)
        if record.offset >= self.position:
            self.pending += record.events
            self.oldest_us = record.appended_us if self.oldest_us is None else self.oldest_us


class KafkaCounts:
    """The counts of one generation."""

    def __init__(self, pool: asyncpg.Pool, reader: KafkaReader, offsets: KafkaOffsets, *, generation: int) -> None:
        self._pool = pool
        self._reader = reader
        self._offsets = offsets
        self._generation = generation
        self._known: dict[Partition, Counted] = {}

    async def begin(self) -> None:
        """Know how far was counted, so that what is read from there on counts on; once. Raises LogUnavailable."""
        if not self._known:
            await self._load()

    async def keep(self, partitions: Iterable[Partition]) -> None:
        """Note for all processes how far these were counted by what was read anyway. Raises LogUnavailable."""
        await self._load()
        await self._keep({partition: self._known[partition] for partition in partitions})

    def note(self, records: Iterable[Stored]) -> None:
        """Count what was read anyway, where it goes on from what is known."""
        for record in records:
            self._note(record.partition, record.offset, record.events)

    def note_appended(self, drafts: Iterable[Draft], offsets: Iterable[Offset]) -> None:
        """Count what this process appended itself, where it goes on from what is known."""
        for draft, offset in zip(drafts, offsets, strict=True):
            self._note(draft.partition, offset, draft.events)

    def _note(self, partition: Partition, offset: Offset, events: int) -> None:
        known = self._known.get(partition)
        if known is not None and known.next == offset:
            self._known[partition] = known.and_(events)

    async def check_partitions(self, partitions: int) -> None:
        """Raise LogMismatch where the generation was made with another number of partitions, LogUnavailable."""
        async with self._connection() as connection:
            [(count, last)] = await connection.fetch(COUNT_PARTITIONS, self._generation)
        check_count(count, last, generation=self._generation, partitions=partitions)

    async def since(self, positions: Mapping[Partition, Offset | None]) -> dict[Partition, Backlog]:
        """What these partitions took, and what of it lies from these positions on (None: from the end, nothing).

        Counted from the records themselves: reads what was never counted, and what lies behind the positions.
        Raises OffsetOutOfRange and LogUnavailable.
        """
        await self._load()
        known = dict(self._known)
        # Asked for after what is known was: the log only grows, so an end before it is another log.
        ends = await self._offsets.ends(positions)
        tallies: dict[Partition, _Tally] = {}
        for partition, end in ends.items():
            counted, position = known[partition], positions[partition]
            check_offset(partition, counted.next, start=0, end=end)
            position = end if position is None else position
            check_offset(partition, position, start=0, end=end)
            tallies[partition] = _Tally(counted, position, min(counted.next, position), end)
        await self._scan(tallies)
        await self._keep({partition: tally.counted for partition, tally in tallies.items()})
        return {p: Backlog(each.end, each.counted.events, each.pending, each.oldest_us) for p, each in tallies.items()}

    async def _scan(self, tallies: Mapping[Partition, _Tally]) -> None:
        """Read each up to its end, SCAN_BYTES at a time."""
        while left := {partition: tally.at for partition, tally in tallies.items() if tally.at < tally.end}:
            records = await self._reader.read(left, max_bytes=SCAN_BYTES, wait_s=SCAN_WAIT_S)
            if not records:
                raise LogUnavailable(f"a broker shows fewer records of partitions {sorted(left)} than another one did: ask again")
            for record in records:
                tally = tallies[record.partition]
                if record.offset < tally.end:
                    tally.add(record)
        await self._reader.rest()

    async def _load(self) -> None:
        async with self._connection() as connection:
            rows = await connection.fetch(SELECT_COUNTS, self._generation)
        for partition, following, events in rows:
            known = self._known.get(partition)
            if known is None or known.next < following:
                self._known[partition] = Counted(following, events)

    async def _keep(self, counted: Mapping[Partition, Counted]) -> None:
        """Note how far was counted, for all processes; another may have come further."""
        for partition, count in counted.items():
            if self._known[partition].next < count.next:
                self._known[partition] = count
        partitions = sorted(counted)
        async with self._connection() as connection:
            await connection.execute(
                ADVANCE_COUNTS,
                self._generation,
                partitions,
                [self._known[partition].next for partition in partitions],
                [self._known[partition].events for partition in partitions],
            )

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        try:
            async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
                yield connection
        except _FAILURES as error:
            raise LogUnavailable(f"the counts of the event log cannot be kept: {str(error) or type(error).__name__}") from error
