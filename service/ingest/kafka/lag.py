"""How far the topics are ahead of the log, and which of them do not exist."""

import asyncio
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from service.eventlog.kafka.connection import FAILURES
from service.telemetry import Telemetry

LOOK_INTERVAL_S = 2.0
ANSWER_TIMEOUT_S = 5.0

log = structlog.get_logger(__name__)


class LagWatch:
    """Asks the brokers for the ends of the partitions that are ours, again and again."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        topics: AbstractSet[str],
        arrived: Callable[[], Mapping[TopicPartition, int]],
        telemetry: Telemetry,
    ) -> None:
        self._consumer = consumer
        self._topics = topics
        self._arrived = arrived
        self._telemetry = telemetry
        self._first: dict[TopicPartition, int] = {}
        """Where partitions began for us of which nothing has arrived yet."""
        self._shown: set[TopicPartition] = set()
        self._unseen: frozenset[str] = frozenset()
        self._missing: frozenset[str] = frozenset()
        self.trouble = ""
        """Why the lag is not known; empty: it is."""

    async def keep(self) -> None:
        """Look for ever."""
        while True:
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    await self._look()
            except FAILURES as error:
                if not self.trouble:
                    log.warning("source.lag_unknown", error=str(error) or type(error).__name__)
                self.trouble = "the brokers do not answer"
            else:
                self.trouble = ""
            await asyncio.sleep(LOOK_INTERVAL_S)

    def forget(self) -> None:
        """Show no lag of partitions that others read now."""
        for partition in self._shown:
            self._telemetry.source_lag.remove(partition.topic, partition.partition)
        self._shown.clear()
        self._first.clear()

    async def _look(self) -> None:
        self._look_for_topics()
        assigned = self._consumer.assignment()
        if not assigned:
            return
        ends = await self._consumer.end_offsets(list(assigned))
        arrived = self._arrived()
        for partition in assigned - arrived.keys() - self._first.keys():
            committed = await self._consumer.committed(partition)
            if committed is None:
                committed = (await self._consumer.beginning_offsets([partition]))[partition]
            self._first[partition] = committed
        # What was asked for while partitions moved is nobody's business any more.
        for partition in assigned & self._consumer.assignment() & (arrived.keys() | self._first.keys()):
            behind = ends[partition] - arrived.get(partition, self._first.get(partition, ends[partition]))
            self._telemetry.source_lag.labels(partition.topic, partition.partition).set(max(0, behind))
            self._shown.add(partition)

    def _look_for_topics(self) -> None:
        """A topic is missing that was not there at the last look either: metadata come a moment after the start."""
        unseen = frozenset(topic for topic in self._topics if not self._consumer.partitions_for_topic(topic))
        missing, self._unseen = unseen & self._unseen, unseen
        self._telemetry.source_missing.set(len(missing))
        if missing - self._missing:
            log.warning("source.topics_missing", topics=sorted(missing), way_out="make them, or mend the configuration")
        self._missing = missing
