"""What keeps a partition from giving its next record, and how each of these is got over."""

import asyncio
import gzip
import zlib

import cramjam
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    CorruptRecordException,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
    UnsupportedCodecError,
)

from service.ingest.kafka.places import Places
from service.telemetry import Telemetry

NOT_ALLOWED_PAUSE_S = 0.2
UNPACKING = (
    CorruptRecordException,
    UnsupportedCodecError,
    UnicodeDecodeError,
    gzip.BadGzipFile,
    cramjam.DecompressionError,
    zlib.error,
    EOFError,
    AssertionError,
    ValueError,
    NotImplementedError,
)
"""What the client raises for a batch of records that it cannot unpack: checksum, codec, lengths, a header's name."""
NOTHING_TO_READ = (NoOffsetForPartitionError, OffsetOutOfRangeError, TopicAuthorizationFailedError)
"""What the client raises where there is no record to unpack."""

log = structlog.get_logger(__name__)


class Troubles:
    """What polls have met, kept until there is time to ask the brokers."""

    def __init__(self, consumer: AIOKafkaConsumer, places: Places, telemetry: Telemetry) -> None:
        self._consumer = consumer
        self._places = places
        self._telemetry = telemetry
        self._met: list[tuple[TopicPartition | None, Exception]] = []
        """At most one for each partition."""
        self.parked: set[TopicPartition] = set()

    def __bool__(self) -> bool:
        """Whether there is one to get over."""
        return bool(self._met)

    def met(self, error: Exception, partition: TopicPartition | None = None) -> None:
        """Keep one for the next `get_over`; of those that cannot be unpacked the partition has to be known."""
        self._met.append((partition, error))

    def forget(self) -> None:
        """Others may have got over what stopped us: nothing is parked any more, and no trouble is ours."""
        self._met.clear()
        self.parked.clear()
        self._telemetry.source_parked.set(0)

    async def get_over(self) -> None:
        """Get over all of them."""
        while self._met:
            partition, error = self._met.pop()
            match error:
                case NoOffsetForPartitionError():
                    await self._begin(error.args[0])
                case OffsetOutOfRangeError():
                    for each, offset in error.args[0].items():
                        await self._go_on(each, offset)
                case TopicAuthorizationFailedError():
                    self._telemetry.source_failures.labels("kafka").inc()
                    log.error("source.not_allowed", topic=str(error.args[0]), way_out="let the user describe and read it")
                    await asyncio.sleep(NOT_ALLOWED_PAUSE_S)
                case _ if partition is not None:
                    await self._park(partition, error)

    async def _begin(self, partition: TopicPartition) -> None:
        """Nobody has read it: from its beginning on, so that nothing is left out."""
        start = await self._places.seek_beginning(partition)
        if start is not None:
            self._places.told(partition, start)
            log.info("source.begins", topic=partition.topic, partition=partition.partition, offset=start)

    async def _go_on(self, partition: TopicPartition, offset: int) -> None:
        """The topic does not hold what is next: from its beginning on, which leaves out the least; copies are found."""
        start = await self._places.seek_beginning(partition)
        if start is None:
            return
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

    async def _park(self, partition: TopicPartition, error: Exception) -> None:
        self.parked.add(partition)
        self._consumer.pause(partition)
        self._telemetry.source_parked.set(len(self.parked))
        log.error(
            "source.parked",
            topic=partition.topic,
            partition=partition.partition,
            offset=await self._consumer.position(partition),
            error=repr(error),
            way_out="upgrade what cannot unpack it, or set the group's offset past the record while no source runs",
        )
