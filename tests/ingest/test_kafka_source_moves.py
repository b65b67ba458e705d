"""The Kafka source when partitions move, records are large, and transactions leave markers: nothing is passed by unread."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from service.ingest.kafka import fetching as fetching_of
from service.ingest.kafka import intake, session
from service.ingest.kafka.intake import Intake
from service.ingest.kafka.polling import Poller
from service.kafka.haul import Haul
from service.lifecycle import cancel
from service.store.sources import Binding
from service.wiring import base as wiring
from tests.broker import Broker
from tests.ingest.events import encoded, usage_event
from tests.ingest.topics import PATIENCE_S, Reading, Topic, events, installed, reading, until


@pytest.fixture
async def made(database_url: str, kafka: Broker) -> AsyncIterator[Reading]:
    async with installed(database_url, kafka) as made:
        yield made


@pytest.fixture
async def topic(kafka: Broker) -> Topic:
    return await Topic(kafka).make()


def bound(*topics: Topic) -> str:
    return "".join(f'[[kafka_source]]\ntopic = "{topic.name}"\n' for topic in topics)


class SlowToBegin(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """A consumer whose brokers say where a partition begins only when the test lets them; the last one answers last."""

    may_say: asyncio.Event
    is_asked: asyncio.Event
    says_errors = False

    async def beginning_offsets(self, partitions: Any) -> Any:
        self.is_asked.set()
        await self.may_say.wait()
        return await super().beginning_offsets(partitions)

    async def getmany(self, *partitions: TopicPartition, **how: Any) -> Any:
        return await super().getmany(*partitions, **how) if self.says_errors else {}


async def test_what_a_poll_has_read_is_handed_on_before_the_brokers_are_asked_for_anything(made: Reading, kafka: Broker) -> None:
    topic = await Topic(kafka).make(partitions=2)
    await topic.send(*events(3))
    await topic.set_offset(made.group, 0)
    consumer = SlowToBegin(
        bootstrap_servers=kafka.bootstrap, group_id=made.group, enable_auto_commit=False, auto_offset_reset="none"
    )
    consumer.may_say, consumer.is_asked = asyncio.Event(), asyncio.Event()
    await consumer.start()
    try:
        read, new = (TopicPartition(topic.name, number) for number in range(2))
        consumer.assign([read, new])
        poller = Poller(consumer, made.base.telemetry)
        fetching = asyncio.create_task(poller.fetch())
        async with asyncio.timeout(PATIENCE_S):
            while not (hauls := await poller.poll()):
                pass
            assert [(haul.partition, haul.offset, haul.following) for haul in hauls] == [(read, 0, 3)]
            consumer.says_errors = True
            # The next poll asks where the other one begins, and while it waits partitions move.
            asking = asyncio.create_task(poller.poll())
            while not consumer.is_asked.is_set():
                if asking.done():
                    assert list(asking.result()) == []
                    asking = asyncio.create_task(poller.poll())
                await asyncio.wait([asking], timeout=0.05)
        poller.revoked()
        consumer.may_say.set()
        assert list(await asking) == []
        poller.places.assigned()

        async def has_read() -> bool:
            return any(haul.partition == new for haul in await poller.poll())

        # The answer that was on its way is nobody's any more: the partition is met again, begun, and read.
        await topic.send(*events(1, first=3), partition=1)
        await until(has_read)
        assert await consumer.position(new) == 1
    finally:
        await cancel([fetching])
        await consumer.stop()


async def test_a_source_that_hands_over_unfinished_lives_on_and_leaves_nothing_out(
    made: Reading, kafka: Broker, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "SETTLE_S", 0.5)
    monkeypatch.setattr(intake, "PARCEL_EVENTS", 1)
    other = await Topic(kafka).make()
    await made.bind(bound(topic))
    await topic.send(*events(9))
    newcomer = AIOKafkaConsumer(
        other.name, bootstrap_servers=kafka.bootstrap, group_id=made.group, enable_auto_commit=False, session_timeout_ms=6_000
    )
    async with reading(made) as source:
        async with made.base.pool.acquire() as connection, connection.transaction():
            await connection.execute("lock table log_partition in access exclusive mode")
            # Three parcels are in flight, and the rest of the poll waits for room.
            await until(lambda: made.metric("events_total", topic=topic.name, outcome="accepted") >= 3)
            await newcomer.start()
            await until(lambda: bool(newcomer.assignment()))
            assert await topic.committed(made.group) == [-1]
        try:
            await made.appended(9)
            await until(lambda: made.metric("lag_records", topic=topic.name, partition="0") == 0)
            assert source.standing == (True, "reads 1 topics")
        finally:
            await newcomer.stop()
    assert set(await made.ids()) == {f"e{number}" for number in range(9)}
    assert await topic.committed(made.group) == [9]


async def test_a_poll_of_large_records_is_bounded_and_decoded_in_pieces_that_arrive_in_order(made: Reading, topic: Topic) -> None:
    await made.bind(bound(topic))
    batch = [usage_event(f"e{number}") for number in range(2_000)]
    for _ in range(20):
        await topic.send(encoded(batch))
    hauls: list[Haul] = []
    place = TopicPartition(topic.name, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=topic.kafka.bootstrap, group_id=None, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([place])
        consumer.seek(place, 0)
        poller = Poller(consumer, made.base.telemetry)
        fetching = asyncio.create_task(poller.fetch())
        while not hauls or hauls[-1].following < 20:
            hauls += await poller.poll()
        await cancel([fetching])
    finally:
        await consumer.stop()
    assert max(haul.size for haul in hauls) < fetching_of.PARTITION_BYTES + 2 * len(encoded(batch))
    door = Intake(
        wiring.decoder(made.base),
        made.base.clock,
        made.base.telemetry,
        max_record_events=10_000,
        max_unpacked_bytes=64_000_000,
    )
    parcels = list(door.parcels(hauls, {topic.name: Binding(topic.name, made.tenant.id, "pilot", backfill=False)}))
    assert sum(parcel.events for parcel in parcels) == 40_000
    assert max(parcel.events for parcel in parcels) < 2 * intake.PARCEL_EVENTS + len(batch)
    ends = [parcel.following[place] for parcel in parcels]
    assert ends == sorted(ends)
    assert ends[-1] == 20


async def test_what_a_transaction_leaves_at_the_end_is_neither_lag_nor_loss(made: Reading, topic: Topic) -> None:
    await made.bind(bound(topic))
    producer = AIOKafkaProducer(bootstrap_servers=topic.kafka.bootstrap, transactional_id=topic.name)
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send_and_wait(topic.name, encoded(usage_event("committed")), partition=0)
        await producer.begin_transaction()
        for number in range(5):
            await producer.send_and_wait(topic.name, encoded(usage_event(f"aborted-{number}")), partition=0)
        await producer.abort_transaction()
    finally:
        await producer.stop()
    markers_and_all = 8

    async def committed_all() -> bool:
        return await topic.committed(made.group) == [markers_and_all]

    async with reading(made):
        await until(committed_all)
        await until(lambda: made.metric("lag_records", topic=topic.name, partition="0") == 0)
    await topic.drop_before(markers_and_all)
    await topic.send(*events(1))
    async with reading(made):
        await made.appended(2)
    assert await made.ids() == ["committed", "e0"]
    assert made.metric("lost_records_total", topic=topic.name, partition="0") == 0


async def test_a_loss_is_counted_once_even_where_no_record_is_left(made: Reading, topic: Topic) -> None:
    await made.bind(bound(topic))
    await topic.send(*events(4))
    await topic.set_offset(made.group, 1)
    await topic.drop_before(4)

    async def goes_on() -> bool:
        return await topic.committed(made.group) == [4]

    for _ in range(2):
        async with reading(made):
            await until(goes_on)
            await until(lambda: made.metric("lost_records_total", topic=topic.name, partition="0") == 3)
