"""What keeps a partition from giving its next record, and how each of these is got over."""

import asyncio

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError, TopicAuthorizationFailedError

from service.ingest.kafka.places import Places
from service.kafka.haul import Haul
from service.telemetry import Telemetry

NOT_ALLOWED_PAUSE_S = 0.2
NOTHING_TO_READ = (NoOffsetForPartitionError, OffsetOutOfRangeError, TopicAuthorizationFailedError)
"""What is met where there is no record to read."""

log = structlog.get_logger(__name__)


class Troubles:
    """What polls have met, kept until there is time to ask the brokers."""

    def __init__(self, consumer: AIOKafkaConsumer, places: Places, telemetry: Telemetry) -> None:
        self._consumer = consumer
        self._places = places
        self._telemetry = telemetry
        self._met: list[Exception] = []
        """At most two for each partition."""
        self._passed: dict[TopicPartition, int] = {}

    def __bool__(self) -> bool:
        """Whether there is one to get over."""
        return bool(self._met)

    def met(self, error: Exception) -> None:
        """Keep one for the next `get_over`."""
        self._met.append(error)

    def forget(self) -> None:
        """Others may have got over what stopped us: no trouble is ours any more."""
        self._met.clear()
        self._passed.clear()

    def passed(self) -> list[Haul]:
        """Partitions that go on elsewhere, as hauls without records: what lies before is not to be met again."""
        passed, self._passed = self._passed, {}
        return [Haul(partition, start, b"", start, ()) for partition, start in passed.items()]

    async def get_over(self) -> None:
        """Get over all of them."""
        while self._met:
            match error := self._met.pop():
                case NoOffsetForPartitionError():
                    await self._begin(error.args[0])
                case OffsetOutOfRangeError():
                    for each, offset in error.args[0].items():
                        await self._go_on(each, offset)
                case TopicAuthorizationFailedError():
                    self._telemetry.source_failures.labels("kafka").inc()
                    log.error("source.not_allowed", topic=str(error.args[0]), way_out="let the user describe and read it")
                    await asyncio.sleep(NOT_ALLOWED_PAUSE_S)

    async def _begin(self, partition: TopicPartition) -> None:
        """Nobody has read it: from its beginning on, so that nothing is left out."""
        start = await self._places.seek_beginning(partition)
        if start is not None:
            log.info("source.begins", topic=partition.topic, partition=partition.partition, offset=start)

    async def _go_on(self, partition: TopicPartition, offset: int) -> None:
        """The topic does not hold what is next: from its beginning on, which leaves out the least; copies are found."""
        start = await self._places.seek_beginning(partition)
        if start is None:
            return
        self._passed[partition] = start
        lost = max(0, start - offset)
        self._telemetry.source_lost.labels(partition.topic, partition.partition).inc(lost)
        log.error(
            "source.offset_out_of_range",
            topic=partition.topic,
            partition=partition.partition,
            offset=offset,
            goes_on_at=start,
            lost_records=lost,
        )
