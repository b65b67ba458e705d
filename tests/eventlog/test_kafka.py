"""What the log in Kafka adds to the contract: brokers that die, topics that are not safe, and how brokers are reached."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sized
from dataclasses import replace
from itertools import count
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupCoordinatorNotAvailableError

from service.domain.ids import Offset, Partition
from service.errors import InvalidSettings, LogMismatch, LogUnavailable, RecordUnreadable
from service.eventlog.codec import decode
from service.eventlog.kafka import KafkaConnection, KafkaLog, TopicPlan
from service.eventlog.kafka.group import GROUP
from service.eventlog.kafka.log import COUNTED_RECORDS
from service.eventlog.port import Draft, Reached
from service.settings import Settings
from service.store.installation import ensure_installation
from tests.broker import PASSWORD, USER, Broker
from tests.eventlog.conftest import PARTITIONS, MovableClock, kafka_settings

ALL = 64 * 1024 * 1024
P0 = Partition(0)
PATIENCE_S, IMPATIENCE_S = 120.0, 2.0
START = {Partition(partition): Offset(0) for partition in range(PARTITIONS)}


def draft(payload: bytes, partition: int = 0, events: int = 1) -> Draft:
    return Draft(Partition(partition), events, payload)


class Opener:
    """Opens logs in one installation's database, and closes them."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._opened: list[KafkaLog] = []

    async def __call__(self, settings: Settings, *, gives_up_s: float = PATIENCE_S) -> KafkaLog:
        """Open a log that waits so long for its brokers: but for those that the test kills, they answer in the end."""
        async with self._pool.acquire() as connection:
            await ensure_installation(connection, settings, log_kind="kafka")
        words: dict[str, Any] = {"generation": 1, "partitions": PARTITIONS, "clock": MovableClock()}
        brokers = replace(KafkaConnection.of(settings), request_timeout_s=gives_up_s, append_timeout_s=gives_up_s)
        log = await KafkaLog.open(brokers, TopicPlan.of(settings), self._pool, **words)
        self._opened.append(log)
        return log

    async def close(self) -> None:
        for log in self._opened:
            await log.close()


@pytest.fixture
async def opened(pool: asyncpg.Pool) -> AsyncIterator[Opener]:
    opener = Opener(pool)
    yield opener
    await opener.close()


@pytest.fixture
async def admin(kafka: Broker) -> AsyncIterator[AIOKafkaAdminClient]:
    made = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await made.start()
    yield made
    await made.close()


async def test_what_was_acknowledged_survives_kills_of_the_broker_and_the_log_goes_on(kafka: Broker, opened: Opener) -> None:
    settings = kafka_settings(kafka)
    await opened(settings)  # makes the topic
    log = await opened(settings, gives_up_s=IMPATIENCE_S)
    acknowledged: dict[tuple[int, int], bytes] = {}
    ended = asyncio.Event()

    async def append(number: int) -> int:
        failures = turn = 0
        while not ended.is_set():
            turn += 1
            drafts = [draft(f"{number}/{turn}/{p}".encode(), p) for p in (number % PARTITIONS, 0)]
            try:
                for one, offset in zip(drafts, await log.append(drafts), strict=True):
                    acknowledged[one.partition, offset] = one.payload
            except LogUnavailable:
                failures += 1
                await asyncio.sleep(0.05)
        return failures

    appending = [asyncio.create_task(append(number)) for number in range(3)]
    for _ in range(2):
        await grows(acknowledged, 100)
        kafka.kill()
        await asyncio.sleep(0.3)
        await asyncio.to_thread(kafka.start)
    await grows(acknowledged, 100)
    ended.set()
    assert sum(await asyncio.gather(*appending)) > 0
    reader = await opened(settings)
    kept = {(int(r.partition), int(r.offset)): r.payload for r in await reader.read(START, max_bytes=ALL, wait_s=0)}
    assert acknowledged.items() <= kept.items()
    assert {p: e.end for p, e in (await reader.extents()).items()} == {p: sum(q == p for q, _ in kept) for p in range(PARTITIONS)}


async def grows(found: Sized, by: int) -> None:
    enough = len(found) + by
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < enough:  # noqa: ASYNC110  # appenders know of no event
            await asyncio.sleep(0.02)


async def test_a_broker_that_is_away_is_an_error_and_never_an_empty_log(kafka: Broker, opened: Opener) -> None:
    settings = kafka_settings(kafka)
    patient = await opened(settings)
    await patient.append([draft(b"a")])
    assert len(await patient.read(START, max_bytes=ALL, wait_s=0)) == 1
    log = await opened(settings, gives_up_s=IMPATIENCE_S)
    kafka.kill()
    try:
        read_all = {P0: Offset(1)}
        for asking in (log.read(read_all, max_bytes=ALL, wait_s=0), log.extents(), log.append([draft(b"b")])):
            with pytest.raises(LogUnavailable, match="does not answer"):
                await asking
        with pytest.raises(LogUnavailable, match=kafka.bootstrap):
            await opened(kafka_settings(kafka), gives_up_s=IMPATIENCE_S)
    finally:
        await asyncio.to_thread(kafka.start)
    found = await eventually_appends(log)
    assert found in {r.payload for r in await patient.read(read_all, max_bytes=ALL, wait_s=0)}


async def eventually_appends(log: KafkaLog) -> bytes:
    """Append until one is acknowledged; gives its payload, for what was not acknowledged may lie in the log as well."""
    async with asyncio.timeout(PATIENCE_S):
        for number in count():
            try:
                await log.append([draft(payload := f"try {number}".encode())])
            except LogUnavailable:
                await asyncio.sleep(0.1)
            else:
                return payload
    raise AssertionError("unreachable: only an acknowledgement or the time-out ends the tries")


async def test_an_append_that_is_cancelled_leaves_nothing_behind_that_grows(kafka: Broker, opened: Opener) -> None:
    settings = kafka_settings(kafka)
    patient = await opened(settings)
    await patient.append([draft(b"a")])
    log = await opened(settings, gives_up_s=IMPATIENCE_S)
    kafka.kill()
    try:
        for _ in range(3):
            with pytest.raises((TimeoutError, LogUnavailable)):
                async with asyncio.timeout(0.2):
                    await log.append([draft(b"never answered")])
    finally:
        await asyncio.to_thread(kafka.start)
    appended = await eventually_appends(log)
    payloads = [r.payload for r in await patient.read({P0: Offset(0)}, max_bytes=ALL, wait_s=0)]
    assert (payloads[0], payloads[-1]) == (b"a", appended)
    assert payloads.count(appended) == 1


async def test_fewer_than_two_replicas_in_sync_are_refused_unless_allowed(kafka: Broker, opened: Opener) -> None:
    settings = kafka_settings(kafka, allow_single_broker=False, kafka_replication_factor=1, kafka_min_insync_replicas=1)
    with pytest.raises(InvalidSettings, match=r"MIN_INSYNC_REPLICAS is 1: .* TIDEGAUGE_ALLOW_SINGLE_BROKER=true"):
        await opened(settings)
    await opened(settings.model_copy(update={"allow_single_broker": True}))
    wants_two = settings.model_copy(update={"kafka_min_insync_replicas": 2})
    with pytest.raises(InvalidSettings, match=r"min.insync.replicas of the topic log-\d+-1 is 1"):
        await opened(wants_two)


async def test_more_replicas_than_there_are_brokers_are_refused_with_the_way_out(kafka: Broker, opened: Opener) -> None:
    with pytest.raises(InvalidSettings, match=r"cannot hold 3 copies of .*: add brokers, set TIDEGAUGE_KAFKA_REPLICATION_FACTOR"):
        await opened(kafka_settings(kafka, allow_single_broker=False))


@pytest.mark.parametrize(
    ("config", "value"), [("retention.ms", "60000"), ("retention.bytes", "1"), ("cleanup.policy", "compact")]
)
async def test_a_topic_that_could_drop_what_nobody_has_read_is_refused(
    kafka: Broker, opened: Opener, admin: AIOKafkaAdminClient, config: str, value: str
) -> None:
    settings = kafka_settings(kafka)
    await opened(settings)
    topic = TopicPlan.of(settings).name(1)
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {config: value})])

    async def open_until_the_broker_has_heard_of_it() -> None:
        for _ in range(600):
            await opened(settings)
            await asyncio.sleep(0.2)

    with pytest.raises(LogMismatch, match=f"{topic} has .*{config}={value}.* and could drop what nobody has read"):
        await open_until_the_broker_has_heard_of_it()


async def test_a_record_that_another_wrote_counts_nothing_and_cannot_be_decoded(kafka: Broker, opened: Opener) -> None:
    settings = kafka_settings(kafka)
    log = await opened(settings)
    await log.append([draft(b"ours", events=3)])
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    for value in (b"theirs", None):
        await producer.send_and_wait(TopicPlan.of(settings).name(1), value, key=b"k", partition=0)
    await producer.stop()
    records = await log.read({P0: Offset(0)}, max_bytes=ALL, wait_s=0)
    assert [(r.payload, r.events) for r in records] == [(b"ours", 3), (b"theirs", 0), (b"", 0)]
    for record in records[1:]:
        with pytest.raises(RecordUnreadable, match="damaged"):
            decode(record.payload)
    assert (await log.extents())[P0].events == 3


async def test_how_far_was_read_stands_in_a_consumer_group(kafka: Broker, opened: Opener, admin: AIOKafkaAdminClient) -> None:
    settings = kafka_settings(kafka)
    log = await opened(settings)
    await log.append([draft(bytes([i]), i % 2) for i in range(8)])
    topic = TopicPlan.of(settings).name(1)
    for positions in ({0: 3}, {0: 4, 1: 2}):
        log.consumed({Partition(partition): Offset(offset) for partition, offset in positions.items()})
        wanted = {TopicPartition(topic, partition): offset for partition, offset in positions.items()}
        found: dict[TopicPartition, int] = {}
        async with asyncio.timeout(90):
            while found != wanted:
                await asyncio.sleep(0.1)
                with contextlib.suppress(GroupCoordinatorNotAvailableError):  # the broker makes the place for offsets first
                    kept = await admin.list_consumer_group_offsets(GROUP)
                    found = {each: place.offset for each, place in kept.items() if each.topic == topic}


async def test_a_position_that_jumps_back_and_forth_reads_what_lies_there(kafka: Broker, opened: Opener) -> None:
    log = await opened(kafka_settings(kafka))
    await log.append([draft(bytes([i])) for i in range(20)])
    for first, most in ((0, 5), (5, ALL), (0, 3), (3, 3), (17, 1), (2, ALL), (20, ALL), (0, ALL)):
        records = await log.read({P0: Offset(first)}, max_bytes=most, wait_s=0)
        assert [r.offset for r in records] == list(range(first, min(20, first + most)))
        other = await log.read({Partition(1): Offset(0)}, max_bytes=ALL, wait_s=0) if first == 3 else []
        assert list(other) == []


async def test_brokers_that_want_tls_and_a_password_are_reached_with_them(kafka: Broker, opened: Opener) -> None:
    guarded = kafka_settings(
        kafka,
        kafka_bootstrap=kafka.guarded_bootstrap,
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_username=USER,
        kafka_sasl_password=PASSWORD,
        kafka_ca_file=kafka.ca_file,
    )
    log = await opened(guarded)
    await log.append([draft(b"over TLS")])
    assert [r.payload for r in await log.read({P0: Offset(0)}, max_bytes=ALL, wait_s=0)] == [b"over TLS"]
    for changed in ({"kafka_sasl_password": "wrong"}, {"kafka_ca_file": None}):
        with pytest.raises(LogUnavailable, match="does not answer") as caught:
            await opened(kafka_settings(kafka, **(guarded.model_dump() | changed)))
        assert PASSWORD not in str(caught.value)


def test_certificates_that_cannot_be_read_are_named(kafka: Broker) -> None:
    settings = kafka_settings(kafka, kafka_security_protocol="SSL", kafka_ca_file="/nowhere/ca.pem")
    with pytest.raises(InvalidSettings, match=r"certificates for Kafka cannot be read .* TIDEGAUGE_KAFKA_CA_FILE"):
        KafkaConnection.of(settings)


async def test_a_long_backlog_is_estimated_instead_of_read_twice(kafka: Broker, opened: Opener) -> None:
    settings = kafka_settings(kafka)
    await (await opened(settings)).append([draft(b"a", events=3) for _ in range(COUNTED_RECORDS + 100)])
    reader = await opened(settings)
    read = await reader.read({P0: Offset(0)}, max_bytes=50, wait_s=0)
    reached = Reached(Offset(len(read)), 3 * len(read))
    assert (await reader.lag({P0: reached}))[P0] == 3 * (COUNTED_RECORDS + 100 - len(read))
    near = Reached(Offset(COUNTED_RECORDS), 3 * COUNTED_RECORDS)
    assert (await reader.lag({P0: near}))[P0] == 300
