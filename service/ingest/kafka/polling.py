"""Polling a consumer: records by partition, with every way in which a partition can have none to give."""

import asyncio
import gzip
import zlib

import cramjam
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    CorruptRecordException,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
    UnsupportedCodecError,
)

from service.ingest.kafka.intake import Polled
from service.telemetry import Telemetry

POLL_S = 0.2
MAX_RECORDS = 5_000
"""Records that are decoded at once."""
CAREFUL_RECORDS = 500
"""Records of a partition that are taken one by one before the next one's turn."""
CAREFUL_PAUSE_S = 0.05
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

log = structlog.get_logger(__name__)


class Unpackable(Exception):
    """Some partition's next record cannot be unpacked; which one, only careful polling tells."""


class Poller:
    """Polls one consumer: all partitions at once, or (`careful`) each alone and record by record.

    The client loses its place when it cannot unpack a record: what it had unpacked before of that poll is gone. So the
    first such failure ends the consumer, the next one begins again behind what was committed, carefully, and parks the
    partition in front of that very record; the others go on.
    """

    def __init__(self, consumer: AIOKafkaConsumer, telemetry: Telemetry, *, careful: bool) -> None:
        self._consumer = consumer
        self._telemetry = telemetry
        self._careful = careful
        self.parked: set[TopicPartition] = set()

    async def poll(self) -> Polled:
        """Records of the partitions that are ours, as soon as there are some, but within POLL_S; raises Unpackable."""
        if self._careful:
            return await self._poll_each()
        try:
            return await self._ask(most=MAX_RECORDS, wait_s=POLL_S)
        except UNPACKING as error:
            raise Unpackable(str(error) or type(error).__name__) from error

    async def _ask(self, *partitions: TopicPartition, most: int, wait_s: float = 0) -> Polled:
        try:
            polled: Polled = await self._consumer.getmany(*partitions, timeout_ms=int(wait_s * 1_000), max_records=most)
        except NoOffsetForPartitionError as error:
            await self._begin(error.args[0])
        except OffsetOutOfRangeError as error:
            for partition, offset in error.args[0].items():
                await self._go_on(partition, offset)
        except TopicAuthorizationFailedError as error:
            self._telemetry.source_failures.labels("kafka").inc()
            log.error("source.not_allowed", topic=str(error.args[0]), way_out="let the user describe and read it")  # noqa: TRY400
            await asyncio.sleep(POLL_S)
        else:
            return polled
        return {}

    def reassigned(self) -> None:
        """Others may have got over what stopped us: nothing is parked any more."""
        self.parked.clear()
        self._telemetry.source_parked.set(0)

    async def _poll_each(self) -> Polled:
        polled: dict[TopicPartition, list[ConsumerRecord]] = {}
        for partition in sorted(self._consumer.assignment() - self.parked):
            records: list[ConsumerRecord] = []
            try:
                while len(records) < CAREFUL_RECORDS and (one := await self._ask(partition, most=1)):
                    records += one[partition]
            except UNPACKING as error:
                await self._park(partition, error)
            if records:
                polled[partition] = records
        if not polled:
            await asyncio.sleep(CAREFUL_PAUSE_S)
        return polled

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

    async def _begin(self, partition: TopicPartition) -> None:
        """Nobody has read it: from its beginning on, so that nothing is left out."""
        start = await self._start(partition)
        self._consumer.seek(partition, start)
        log.info("source.begins", topic=partition.topic, partition=partition.partition, offset=start)

    async def _go_on(self, partition: TopicPartition, offset: int) -> None:
        """The topic does not hold what is next: from its beginning on, which leaves out the least; copies are found."""
        start = await self._start(partition)
        lost = max(0, start - offset)
        self._consumer.seek(partition, start)
        self._telemetry.source_lost.labels(partition.topic, partition.partition).inc(lost)
        log.error(
            "source.offset_out_of_range",
            topic=partition.topic,
            partition=partition.partition,
            offset=offset,
            goes_on_at=start,
            lost_records=lost,
        )

    async def _start(self, partition: TopicPartition) -> int:
        start: int = (await self._consumer.beginning_offsets([partition]))[partition]
        return start
