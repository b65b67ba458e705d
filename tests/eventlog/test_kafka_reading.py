"""What the log reads of its topic: as bytes, checked, and never anything else than was appended."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from service.domain.ids import Offset, Partition
from service.errors import LogUnavailable, OffsetOutOfRange
from service.eventlog.kafka.asking import Leaders
from service.eventlog.kafka.connection import KafkaConnection
from service.eventlog.kafka.offsets import KafkaOffsets
from service.eventlog.kafka.reader import KafkaReader
from service.eventlog.kafka.topic import TopicPlan, administering, ensure_topic
from service.eventlog.kafka.writer import KafkaWriter
from service.eventlog.port import Draft, Stored
from service.kafka.fetch import Answer
from tests.broker import Broker
from tests.eventlog.conftest import PATIENCE_S, kafka_settings

ALL = 64 * 1024 * 1024
NOW_US = 1_800_000_000_000_123
P0, P1 = Partition(0), Partition(1)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of the log with two partitions, and what writes to it and reads it."""

    name: str
    connection: KafkaConnection
    writer: KafkaWriter
    reader: KafkaReader
    offsets: KafkaOffsets
    directory: Path

    async def append(self, *payloads: bytes, partition: Partition = P0) -> None:
        await self.writer.append([Draft(partition, 1, payload) for payload in payloads], now_us=NOW_US)

    async def read(self, offset: int = 0, *, max_bytes: int = ALL) -> list[Stored]:
        return await self.reader.read({P0: Offset(offset)}, max_bytes=max_bytes, wait_s=0)

    async def ends_at(self, offset: int) -> None:
        """Wait until partition 0 is so long: a broker writes the marker of a transaction after it has said that it ended."""
        async with asyncio.timeout(PATIENCE_S):
            while (await self.offsets.ends([P0]))[P0] < offset:  # noqa: ASYNC110  # a broker tells nobody
                await asyncio.sleep(0.05)

    def replace(self, found: bytes, by: bytes) -> None:
        """Change what lies on the broker's disk of partition 0."""
        segment = self.directory / "data" / f"{self.name}-0" / f"{0:020}.log"
        with segment.open("r+b") as file:
            place = file.read().index(found)
            os.pwrite(file.fileno(), by, place)


@pytest.fixture
async def topic(kafka: Broker) -> AsyncIterator[Topic]:
    settings = kafka_settings(kafka)
    connection = replace(KafkaConnection.of(settings), request_timeout_s=PATIENCE_S, append_timeout_s=PATIENCE_S)
    plan = TopicPlan.of(settings)
    name = await ensure_topic(connection, plan, generation=1, partitions=2)
    offsets = KafkaOffsets(connection, name)
    writer, reader = KafkaWriter(connection, name), KafkaReader(connection, name, offsets)
    yield Topic(name, connection, writer, reader, offsets, kafka.directory)
    await writer.close()
    await reader.close()
    await offsets.close()


async def test_a_damaged_batch_is_an_error_and_what_lies_before_it_is_read(topic: Topic) -> None:
    for payload in (b"sound", b"will be damaged", b"behind it"):
        await topic.append(payload)
    topic.replace(b"will be damaged", b"was_not written")
    assert [record.payload for record in await topic.read()] == [b"sound"]
    for _ in range(2):
        with pytest.raises(LogUnavailable, match=rf"batch of partition 0 of {topic.name} at offset 1 has another checksum"):
            await topic.read(1)
    topic.replace(b"was_not written", b"will be damaged")
    assert [record.payload for record in await topic.read(1)] == [b"will be damaged", b"behind it"]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_a_topic_that_brokers_compress_is_read_as_it_was_written(topic: Topic, codec: str) -> None:
    async with administering(topic.connection) as admin:
        config = {**TopicPlan("", 1, 1, single_broker=True).configs(), "compression.type": codec}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, config)])
    payloads = [bytes([number]) * 5_000 for number in range(40)]
    await topic.append(*payloads)
    records = await topic.read()
    assert [(r.offset, r.payload, r.events, r.appended_us) for r in records] == [
        (number, payload, 1, NOW_US) for number, payload in enumerate(payloads)
    ]


async def test_reading_a_little_at_a_time_finds_all_of_many_batches(topic: Topic) -> None:
    payloads = [number.to_bytes(2, "big") * 20_000 for number in range(300)]  # 12 MB: more than one answer brings of a partition
    for first in range(0, len(payloads), 50):
        await topic.append(*payloads[first : first + 50])
    await topic.append(b"beside", partition=P1)
    found: list[bytes] = []
    while records := await topic.read(len(found), max_bytes=1_000_000):
        assert sum(len(record.payload) for record in records) <= 1_000_000
        found += [record.payload for record in records]
    assert found == payloads


async def test_a_transaction_of_anothers_leaves_a_gap_that_stops_loudly(topic: Topic) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=topic.connection.bootstrap, transactional_id=topic.name)
    await producer.start()
    async with producer.transaction():
        await producer.send_and_wait(topic.name, b"theirs", partition=0)
    await producer.stop()
    await topic.ends_at(2)
    await topic.append(b"ours")
    with pytest.raises(OffsetOutOfRange, match=r"record \d of partition 0 is missing"):
        await topic.read()


class JustElected(Leaders):
    """The leader of partition 0 shows those who fetch an earlier end, until replicas have told it how far they are."""

    hides = 3

    async def answers(self, wanted: Mapping[Partition, Offset], *, wait_s: float) -> list[Answer]:
        found = await super().answers(wanted, wait_s=wait_s)
        if self.hides:
            self.hides -= 1
            return [replace(each, end=each.offset, data=b"") if each.partition.partition == P0 else each for each in found]
        return found


async def test_a_leader_that_was_just_elected_makes_no_partition_look_empty(topic: Topic) -> None:
    await topic.append(b"acknowledged")
    topic.reader._leaders = JustElected(topic.connection, topic.name)
    assert [record.payload for record in await topic.read()] == [b"acknowledged"]
    await topic.append(b"acknowledged, too")
    await topic.append(b"beside", partition=P1)
    topic.reader._leaders.hides = 3
    records = await topic.reader.read({P0: Offset(1), P1: Offset(0)}, max_bytes=ALL, wait_s=0)
    assert [record.payload for record in records] == [b"acknowledged, too", b"beside"]


async def test_closing_while_somebody_reads_leaves_nothing_open(topic: Topic) -> None:
    await topic.append(b"first")
    assert await topic.read()
    reading = asyncio.create_task(topic.reader.read({P0: Offset(1)}, max_bytes=ALL, wait_s=1))
    await asyncio.sleep(0)
    await topic.reader.close()
    assert await reading == []
    assert topic.reader._leaders._client is None
