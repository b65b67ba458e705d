"""Where partitions begin and end, asked over a connection of its own: behind a waiting fetch, each answer would wait too."""

import asyncio
from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from service.domain.ids import Offset, Partition
from service.eventlog.kafka.connection import KafkaConnection, failures_named
from service.eventlog.kafka.record import timestamp_ms


class KafkaOffsets:
    """The beginnings and ends of one topic's partitions."""

    def __init__(self, connection: KafkaConnection, topic: str) -> None:
        self._connection = connection
        self._topic = topic
        self._consumer: AIOKafkaConsumer | None = None
        self._starting = asyncio.Lock()

    async def starts(self, partitions: Iterable[Partition]) -> dict[Partition, Offset]:
        """The first offset that is kept of each. Raises LogUnavailable, as all of these do."""
        with failures_named(self._connection):
            consumer = await self._started()
            return _by_partition(await consumer.beginning_offsets(self._all(partitions)))

    async def ends(self, partitions: Iterable[Partition]) -> dict[Partition, Offset]:
        """The offset behind the last record that all replicas in sync have."""
        with failures_named(self._connection):
            consumer = await self._started()
            return _by_partition(await consumer.end_offsets(self._all(partitions)))

    async def first_since(self, partitions: Iterable[Partition], instant_us: int) -> dict[Partition, Offset]:
        """The first record of each that was not appended before this instant; partitions without one are missing."""
        stamp_ms = timestamp_ms(instant_us)
        with failures_named(self._connection):
            consumer = await self._started()
            found = await consumer.offsets_for_times(dict.fromkeys(self._all(partitions), stamp_ms))
        return _by_partition({each: place.offset for each, place in found.items() if place is not None})

    async def drop_before(self, starts: Mapping[Partition, Offset]) -> None:
        """Move the beginnings onward: what lies before them is gone for good."""
        admin = AIOKafkaAdminClient(**self._connection.options)
        try:
            with failures_named(self._connection):
                await admin.start()
                await admin.delete_records(
                    {TopicPartition(self._topic, partition): RecordsToDelete(offset) for partition, offset in starts.items()}
                )
        finally:
            await admin.close()

    async def close(self) -> None:
        """Let go of the connections."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await consumer.stop()

    def _all(self, partitions: Iterable[Partition]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition) for partition in partitions]

    async def _started(self) -> AIOKafkaConsumer:
        """A consumer that never fetches: nothing is assigned to it."""
        async with self._starting:
            if self._consumer is None:
                consumer = self._connection.consumer()
                try:
                    await consumer.start()
                except BaseException:
                    await consumer.stop()
                    raise
                self._consumer = consumer
            return self._consumer


def _by_partition(offsets: Mapping[TopicPartition, int]) -> dict[Partition, Offset]:
    return {Partition(each.partition): Offset(offset) for each, offset in offsets.items()}
