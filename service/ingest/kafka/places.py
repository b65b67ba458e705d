"""Where partitions stand: what comes next of each, and how often they have moved."""

import asyncio
import contextlib

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError


class Places:
    """The places of the partitions that a consumer holds."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._moving = False
        self.revocations = 0
        """How often partitions have moved: what was polled before the last time is no longer ours."""

    def revoked(self) -> None:
        """Partitions begin to move."""
        self.revocations += 1
        self._moving = True

    def assigned(self) -> None:
        """Partitions have moved."""
        self._moving = False

    async def seek_beginning(self, partition: TopicPartition) -> int | None:
        """Go to the first record that there is; returns its offset, or None when partitions moved meanwhile."""
        revocations = self.revocations
        start: int = (await self._consumer.beginning_offsets([partition]))[partition]
        if revocations != self.revocations:
            return None
        self._consumer.seek(partition, start)
        return start

    async def of(self, partition: TopicPartition) -> int | None:
        """The offset that comes next; None while that is not known, or partitions move."""
        if self._moving:
            return None
        # A partition whose offset is still being asked for has no place, and is not waited for.
        with contextlib.suppress(TimeoutError, IllegalStateError):
            async with asyncio.timeout(0):
                place: int = await self._consumer.position(partition)
                return place
        return None
