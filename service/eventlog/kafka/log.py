"""The event log in Kafka: one topic a generation, positions kept in Postgres, beginnings moved by us alone."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import asyncpg

from service.clock import Clock
from service.domain.ids import Offset, Partition
from service.eventlog.kafka.connection import KafkaConnection
from service.eventlog.kafka.counts import KafkaCounts
from service.eventlog.kafka.group import KafkaGroup
from service.eventlog.kafka.offsets import KafkaOffsets
from service.eventlog.kafka.reader import KafkaReader
from service.eventlog.kafka.topic import TopicPlan, ensure_topic
from service.eventlog.kafka.writer import KafkaWriter
from service.eventlog.port import Backlog, Draft, EventLog, Extent, Reached, Stored
from service.eventlog.refusals import check_drafts, check_partition

COUNTED_RECORDS = 1_000
"""Up to so many records the events of a backlog are counted."""


class KafkaLog(EventLog):
    """One generation of the log in the topic `PREFIX-GENERATION`."""

    def __init__(
        self, connection: KafkaConnection, pool: asyncpg.Pool, *, topic: str, generation: int, partitions: int, clock: Clock
    ) -> None:
        self._generation = generation
        self._partitions = partitions
        self._clock = clock
        self._offsets = KafkaOffsets(connection, topic)
        self._writer = KafkaWriter(connection, topic)
        self._reader = KafkaReader(connection, topic, self._offsets)
        self._scanner = KafkaReader(connection, topic, self._offsets)
        self._counts = KafkaCounts(pool, self._scanner, self._offsets, generation=generation)
        self._group = KafkaGroup(connection, topic)

    @classmethod
    async def open(
        cls,
        connection: KafkaConnection,
        plan: TopicPlan,
        pool: asyncpg.Pool,
        *,
        generation: int,
        partitions: int,
        clock: Clock,
    ) -> "KafkaLog":
        """Open a generation, and make its topic at the first start; the pool stays its owner's.

        Raises LogMismatch, InvalidSettings and LogUnavailable.
        """
        topic = plan.name(generation)
        log = cls(connection, pool, topic=topic, generation=generation, partitions=partitions, clock=clock)
        await log._counts.check_partitions(partitions)
        await ensure_topic(connection, plan, generation=generation, partitions=partitions)
        return log

    @property
    def partitions(self) -> int:
        """How many partitions this generation has."""
        return self._partitions

    @property
    def generation(self) -> int:
        """The log generation that is written to and read from."""
        return self._generation

    async def append(self, drafts: Sequence[Draft]) -> Sequence[Offset]:
        """Append records; when this returns, all replicas in sync have them.

        Raises LogUnavailable, RecordTooLarge, and LogMismatch for a partition that there is not.
        """
        check_drafts(drafts, generation=self._generation, partitions=self._partitions)
        if not drafts:
            return []
        offsets = await self._writer.append(drafts, now_us=self._clock.now_us())
        self._counts.note_appended(drafts, offsets)
        return offsets

    async def read(self, positions: Mapping[Partition, Offset], *, max_bytes: int, wait_s: float) -> Sequence[Stored]:
        """Records from these offsets on, in offset order within a partition, no gap stepped over.

        Raises OffsetOutOfRange, LogUnavailable, and LogMismatch for a partition that there is not.
        """
        self._check_partitions(positions)
        if not positions:
            return []
        await self._counts.begin()
        records = await self._reader.read(positions, max_bytes=max_bytes, wait_s=wait_s)
        self._counts.note(records)
        return records

    async def extents(self, of: Collection[Partition] | None = None) -> Mapping[Partition, Extent]:
        """What these partitions hold (None: all); reads on what was never counted. Raises LogUnavailable."""
        wanted = self._all() if of is None else of
        self._check_partitions(wanted)
        if not wanted:
            return {}
        starts = await self._offsets.starts(wanted)
        found = await self._counts.since(dict.fromkeys(wanted))
        return {partition: Extent(starts[partition], each.end, each.appended) for partition, each in sorted(found.items())}

    async def lag(self, reached: Mapping[Partition, Reached]) -> Mapping[Partition, int]:
        """Events from these positions on, counted from their records; of a long backlog as many a record as up to there.

        Whoever works a backlog off reads it anyway: asked every second, counting it would be reading all of it twice.
        Raises LogUnavailable and LogMismatch.
        """
        self._check_partitions(reached)
        ends = await self._offsets.ends(reached)
        records = {partition: max(0, ends[partition] - each.next) for partition, each in reached.items()}
        if sum(records.values()) <= COUNTED_RECORDS:
            found = await self.extents(reached)
            return {partition: max(0, found[partition].events - each.events) for partition, each in reached.items()}
        await self._counts.keep(reached)
        events, before = sum(each.events for each in reached.values()), sum(each.next for each in reached.values())
        return {partition: round(lacking * max(1.0, events / max(1, before))) for partition, lacking in records.items()}

    async def backlog(self, positions: Mapping[Partition, Offset]) -> Mapping[Partition, Backlog]:
        """What lies from these positions on, counted from the records. Raises OffsetOutOfRange, LogUnavailable, LogMismatch."""
        self._check_partitions(positions)
        return await self._counts.since(positions) if positions else {}

    async def trim(self, keep_from: Mapping[Partition, Offset], *, older_than_us: int) -> int:
        """Drop records that every reader is past and that are old; returns how many.

        They are counted before: afterwards nobody could. Raises LogUnavailable and LogMismatch.
        """
        self._check_partitions(keep_from)
        if not keep_from:
            return 0
        starts = await self._offsets.starts(keep_from)
        ends = await self._offsets.ends(keep_from)
        young = await self._offsets.first_since(keep_from, older_than_us)
        wanted = {p: min(offset, ends[p], young.get(p, ends[p])) for p, offset in keep_from.items()}
        moved = {partition: offset for partition, offset in wanted.items() if offset > starts[partition]}
        if moved:
            await self._counts.since(dict.fromkeys(moved))
            await self._offsets.drop_before(moved)
        return sum(offset - starts[partition] for partition, offset in moved.items())

    def consumed(self, positions: Mapping[Partition, Offset]) -> None:
        """Show how far was read as offsets of the group `tidegauge-aggregate`, soon and if it can be done."""
        self._group.note(positions)

    async def close(self) -> None:
        """Let go of connections."""
        await self._group.close()
        await self._writer.close()
        await self._reader.close()
        await self._scanner.close()
        await self._offsets.close()

    def _all(self) -> list[Partition]:
        return [Partition(number) for number in range(self._partitions)]

    def _check_partitions(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            check_partition(partition, generation=self._generation, partitions=self._partitions)
