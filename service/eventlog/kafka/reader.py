"""Reads a topic from offsets that the caller names; what was fetched is kept until a later read begins behind it."""

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from service.domain.ids import Offset, Partition
from service.errors import LogUnavailable, OffsetOutOfRange
from service.eventlog.kafka.connection import KafkaConnection, failures_named
from service.eventlog.kafka.offsets import KafkaOffsets
from service.eventlog.kafka.record import stored
from service.eventlog.port import Stored
from service.eventlog.refusals import check_offset, missing

FETCH_WAIT_MS = 50
"""How long a broker holds an empty fetch; a fetch for other partitions waits behind it."""
FETCH_BYTES = 4 * 1024 * 1024
"""What one fetch brings of a partition: the bound of what is read ahead, beside what was asked for."""
MAX_READ_RECORDS = 20_000


@dataclass(slots=True)
class _Ahead:
    """Records of one partition that were fetched, without gaps, from where the last read began."""

    next: Offset
    """The offset behind the last of them: what the consumer brings next."""
    records: deque[Stored] = field(default_factory=deque)
    size: int = 0

    def begin_at(self, offset: Offset) -> bool:
        """Drop what lies before `offset`; False: what lies from there on was never fetched, and all is dropped."""
        while self.records and self.records[0].offset < offset:
            self.size -= len(self.records.popleft().payload)
        if (self.records[0].offset if self.records else self.next) == offset:
            return True
        self.records.clear()
        self.size, self.next = 0, offset
        return False

    def add(self, record: Stored) -> None:
        """Keep the next record; the caller has compared its offset."""
        self.records.append(record)
        self.size += len(record.payload)
        self.next = Offset(record.offset + 1)

    def take(self, share: int) -> list[Stored]:
        """The first record, and those after it that fit into `share` bytes; they are kept: a caller may use only some."""
        taken: list[Stored] = []
        size = 0
        for record in islice(self.records, MAX_READ_RECORDS):
            size += len(record.payload)
            if taken and size > share:
                break
            taken.append(record)
        return taken


class KafkaReader:
    """A consumer that is told its partitions and positions by each read; no group decides about either."""

    def __init__(self, connection: KafkaConnection, topic: str, offsets: KafkaOffsets) -> None:
        self._connection = connection
        self._topic = topic
        self._offsets = offsets
        self._consumer: AIOKafkaConsumer | None = None
        self._ahead: dict[Partition, _Ahead] = {}
        self._turn = asyncio.Lock()
        self._resting = False

    async def read(self, positions: Mapping[Partition, Offset], *, max_bytes: int, wait_s: float) -> list[Stored]:
        """Records from these offsets on; a partition without one was empty when this was called, or later.

        At most MAX_READ_RECORDS a partition and `max_bytes` in all, and one of each that has any.
        Raises OffsetOutOfRange and LogUnavailable.
        """
        async with self._turn:
            with failures_named(self._connection):
                loop = asyncio.get_running_loop()
                deadline_s = loop.time() + wait_s
                consumer = await self._placed(positions)
                while True:
                    ends = await self._offsets.ends(positions)
                    behind = [partition for partition, offset in positions.items() if offset != ends[partition]]
                    if behind:
                        return await self._answer(consumer, positions, behind, ends, max_bytes)
                    left_s = deadline_s - loop.time()
                    if left_s <= 0:
                        return []
                    await self._fetch(consumer, positions, left_s)

    async def rest(self) -> None:
        """Fetch nothing until the next read, which will begin elsewhere."""
        async with self._turn:
            if self._consumer is not None and self._ahead:
                self._consumer.pause(*self._consumer.assignment())
                self._resting = True
                for ahead in self._ahead.values():
                    ahead.begin_at(ahead.next)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await consumer.stop()

    async def _answer(
        self,
        consumer: AIOKafkaConsumer,
        positions: Mapping[Partition, Offset],
        behind: Collection[Partition],
        ends: Mapping[Partition, Offset],
        max_bytes: int,
    ) -> list[Stored]:
        if any(positions[partition] > ends[partition] for partition in behind):
            raise await self._out_of_range(positions)
        share = max_bytes // len(behind)
        deadline_s = asyncio.get_running_loop().time() + self._connection.request_timeout_s
        while lacking := [p for p in behind if self._ahead[p].next < ends[p] and self._ahead[p].size < share]:
            left_s = deadline_s - asyncio.get_running_loop().time()
            if left_s <= 0:
                raise LogUnavailable(f"partitions {lacking} of {self._topic} hold records that no broker sends: look at them")
            # What has come of others is taken as well, while there is room: left with the client, it would hold fetches back.
            await self._fetch(consumer, [p for p in behind if self._ahead[p].size < share + FETCH_BYTES], left_s)
        return [record for partition in sorted(behind) for record in self._ahead[partition].take(share)]

    async def _placed(self, positions: Mapping[Partition, Offset]) -> AIOKafkaConsumer:
        """The consumer, with exactly these partitions, behind what is kept of them."""
        consumer = self._consumer
        if consumer is None:
            consumer = self._connection.consumer(fetch_max_wait_ms=FETCH_WAIT_MS, max_partition_fetch_bytes=FETCH_BYTES)
            try:
                await consumer.start()
            except BaseException:
                await consumer.stop()
                raise
            self._consumer = consumer
        assigned = self._ahead.keys() == positions.keys()
        self._ahead = {p: self._ahead.get(p) or _Ahead(offset) for p, offset in positions.items()}
        if not assigned:
            consumer.assign([TopicPartition(self._topic, partition) for partition in positions])
        elif self._resting:
            consumer.resume(*consumer.assignment())
        self._resting = False
        for partition, offset in positions.items():
            kept = self._ahead[partition].begin_at(offset)
            if not kept or not assigned:
                consumer.seek(TopicPartition(self._topic, partition), self._ahead[partition].next)
        return consumer

    async def _fetch(self, consumer: AIOKafkaConsumer, partitions: Iterable[Partition], wait_s: float) -> None:
        """Keep what has come of these partitions, waiting for it at most `wait_s`."""
        wanted = [TopicPartition(self._topic, partition) for partition in partitions]
        try:
            found = await consumer.getmany(*wanted, timeout_ms=max(1, int(wait_s * 1_000)))
        except OffsetOutOfRangeError as error:
            raise await self._out_of_range({p: ahead.next for p, ahead in self._ahead.items()}) from error
        for topic_partition, records in found.items():
            ahead = self._ahead[Partition(topic_partition.partition)]
            for record in records:
                if record.offset != ahead.next:
                    partition = Partition(topic_partition.partition)
                    start = (await self._offsets.starts([partition]))[partition]
                    raise missing(partition, ahead.next, start=start, end=record.offset + 1)
                ahead.add(stored(record))

    async def _out_of_range(self, positions: Mapping[Partition, Offset]) -> OffsetOutOfRange | LogUnavailable:
        """The error for the first position that the log does not hold."""
        starts, ends = await self._offsets.starts(positions), await self._offsets.ends(positions)
        for partition in sorted(positions):
            try:
                check_offset(partition, positions[partition], start=starts[partition], end=ends[partition])
            except OffsetOutOfRange as error:
                return error
        return LogUnavailable(f"a broker did not know an offset of {self._topic} that it knows now: read again")
