"""Where partitions stand: what comes next of each, and how often they have moved."""

import asyncio
import contextlib

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError


class Places:
    """The places of the partitions that a consumer holds."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._told: dict[TopicPartition, int] = {}
        self._moving = False
        self.revocations = 0
        """How often partitions have moved: what was polled before the last time is no longer ours."""

    def revoked(self) -> None:
        """Partitions begin to move."""
        self.revocations += 1
        self._moving = True
        self._told.clear()

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

    def told(self, partition: TopicPartition, place: int) -> None:
        """Nothing is to be said of this place: nothing was read before it."""
        self._told[partition] = place

    async def changed(self) -> dict[TopicPartition, int]:
        """The offset that comes next, of partitions where it has changed: also past markers and aborted records.

        All before it has been polled. Empty while partitions move, for the client tells those of the last assignment then.
        """
        revocations, changed = self.revocations, dict[TopicPartition, int]()
        for partition in () if self._moving else self._consumer.assignment():
            # A partition whose offset is still being asked for has no place, and is not waited for.
            with contextlib.suppress(TimeoutError, IllegalStateError):
                async with asyncio.timeout(0):
                    place = await self._consumer.position(partition)
                    if self._told.get(partition) != place:
                        changed[partition] = place
        if revocations != self.revocations:
            return {}
        self._told |= changed
        return changed
