"""How far the log was read, as offsets of a consumer group: shown by the usual lag tools, and read by nobody else."""

import asyncio
import contextlib
from collections.abc import Mapping

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from service.domain.ids import Offset, Partition
from service.errors import LogUnavailable
from service.eventlog.kafka.connection import FAILURES, KafkaConnection, failures_named

GROUP = "tidegauge-aggregate"
COMMIT_INTERVAL_S = 1.0

log = structlog.get_logger(__name__)


class KafkaGroup:
    """Commits the newest positions beside the work; what decides is in Postgres, so failing here loses nothing."""

    def __init__(self, connection: KafkaConnection, topic: str) -> None:
        self._connection = connection
        self._topic = topic
        self._positions: dict[Partition, Offset] = {}
        self._changed = asyncio.Event()
        self._committing: asyncio.Task[None] | None = None

    def note(self, positions: Mapping[Partition, Offset]) -> None:
        """Have these positions committed within COMMIT_INTERVAL_S."""
        self._positions |= positions
        self._changed.set()
        if self._committing is None:
            self._committing = asyncio.create_task(self._keep_committing(), name="consumer-group")

    async def close(self) -> None:
        """Commit what was noted last, if it can be done at once, and let go of the connection."""
        if self._committing is not None:
            self._committing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._committing

    async def _keep_committing(self) -> None:
        while True:
            consumer = self._connection.consumer(group_id=GROUP)
            try:
                with failures_named(self._connection):
                    await consumer.start()
                    await self._commit(consumer)
            except LogUnavailable as error:
                log.warning("group.not_committed", group=GROUP, topic=self._topic, error=str(error))
                await asyncio.sleep(COMMIT_INTERVAL_S)
            finally:
                await consumer.stop()

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        assigned: set[TopicPartition] = set()
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                assigned = self._assign(consumer, assigned)
                await consumer.commit(self._offsets())
                await asyncio.sleep(COMMIT_INTERVAL_S)
        except asyncio.CancelledError:
            if self._changed.is_set() and self._offsets().keys() <= assigned:
                with contextlib.suppress(*FAILURES):
                    async with asyncio.timeout(COMMIT_INTERVAL_S):
                        await consumer.commit(self._offsets())
            raise

    def _assign(self, consumer: AIOKafkaConsumer, assigned: set[TopicPartition]) -> set[TopicPartition]:
        wanted = set(self._offsets())
        if wanted != assigned:
            consumer.assign(list(wanted))
            consumer.pause(*wanted)  # it commits, and reads nothing
        return wanted

    def _offsets(self) -> dict[TopicPartition, int]:
        return {TopicPartition(self._topic, partition): offset for partition, offset in self._positions.items()}
