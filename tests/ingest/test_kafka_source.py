"""The Kafka source: every readable event of a team's topic is in the log before the topic's offset is committed."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaProducer

from service.clock import SECOND
from service.domain.families.rows import UsageRow
from service.errors import InvalidConfiguration
from service.expose import readiness
from service.ingest.kafka.session import COMMIT_INTERVAL_S
from service.supervisor import free_port
from tests.broker import Broker
from tests.ingest.events import bad_event, encoded, request_event, usage_event
from tests.ingest.topics import Reading, Topic, events, installed, reading, until


@pytest.fixture
async def made(database_url: str, kafka: Broker) -> AsyncIterator[Reading]:
    async with installed(database_url, kafka) as made:
        yield made


@pytest.fixture
async def topic(kafka: Broker) -> Topic:
    return await Topic(kafka).make()


def bound(*topics: Topic, more: str = "") -> str:
    return "".join(f'[[kafka_source]]\ntopic = "{topic.name}"\n{more}' for topic in topics)


async def uses(made: Reading) -> list[UsageRow]:
    return [row for row in (await made.logged())["usage"] if isinstance(row, UsageRow)]


async def test_structured_binary_and_batched_records_all_become_events_of_the_tenant(made: Reading, topic: Topic) -> None:
    await made.bind(bound(topic))
    await topic.send(encoded(usage_event("structured")))
    await topic.send(encoded(usage_event("bare")), headers=[])
    await topic.send(b"\n " + encoded(usage_event("spaced")), headers=[("Content-Type", b"application/json; charset=utf-8")])
    await topic.send(
        encoded([usage_event("one"), usage_event("two")]), headers=[("content-type", b"application/cloudevents-batch+json")]
    )
    attributes = {"specversion": "1.0", "id": "binary", "source": "/ü", "type": "io.tidegauge.usage.v1", "subject": "Jörg"}
    headers = [("content-type", b"application/json"), ("traceparent", b"00")]
    headers += [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    await topic.send(b'{"feature": "dashboard"}', headers=headers)
    async with reading(made):
        await made.appended(6)
    assert await made.ids() == ["bare", "binary", "one", "spaced", "structured", "two"]
    [row] = [row for row in await uses(made) if row.id == "binary"]
    assert (row.tenant, row.source, row.user) == (made.tenant.id, "/ü", "Jörg")
    assert made.metric("events_total", topic=topic.name, outcome="accepted") == 6


async def test_unreadable_records_are_rejected_with_topic_partition_and_offset_and_cost_no_other(
    made: Reading, topic: Topic
) -> None:
    await made.bind(bound(topic))
    json_headers = [("content-type", b"application/json")]
    records: list[tuple[bytes | None, list[tuple[str, bytes]], str]] = [
        (b"{", [], "malformed"),
        (None, [], "malformed"),
        (encoded(bad_event("bad")), [], "missing_field"),
        (encoded(usage_event("bytes")).replace(b"ada", b"a\xff"), [], "malformed"),
        (encoded(usage_event("avro")), [("content-type", b"application/cloudevents+avro")], "malformed"),
        (encoded(usage_event("text")), [("content-type", b"text/plain")], "malformed"),
        (encoded(usage_event("latin")), [("content-type", b"application/json; charset=latin-1")], "malformed"),
        (b'{"a": 1}, {"b": 2}', [*json_headers, ("ce_id", b"split"), ("ce_source", b"/s")], "malformed"),
        (None, [*json_headers, ("ce_id", b"empty")], "missing_field"),
        (b"{}", [*json_headers, ("ce_id", b"x"), ("ce_id", b"y")], "malformed"),
        (b"[1, 2", [], "malformed"),
        (b"[[1]]", [], "wrong_type"),
        (encoded(usage_event("deep", extension=json.loads("[" * 40 + "]" * 40))), [], "malformed"),
        (encoded(usage_event("nul", subject="a\0b")), [], "malformed"),
        (encoded(usage_event("big", data={"feature": "f", "session": "x" * 300_000})), [], "too_large"),
        (encoded(usage_event("good")), [], ""),
    ]
    for value, headers, _ in records:
        await topic.send(value, headers=headers)
    async with reading(made):
        await made.appended(len(records))
        await until(lambda: made.metric("lag_records", topic=topic.name, partition="0") == 0)
    refused = await made.refused()
    assert {place: row.reason for place, row in refused.items()} == {
        f"kafka:{topic.name}:0:{offset}": reason for offset, (_, _, reason) in enumerate(records) if reason
    }
    assert await made.ids() == ["good"]
    assert refused[f"kafka:{topic.name}:0:2"].id == "bad"
    # What cannot be read is known by where it lay: none of them is taken for another.
    assert len({row.id_hash for row in refused.values()}) == len(refused)
    assert "tombstone" in refused[f"kafka:{topic.name}:0:1"].detail
    assert await topic.committed(made.group) == [len(records)]


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
async def test_compressed_records_are_read_like_others(made: Reading, topic: Topic, compression: str) -> None:
    await made.bind(bound(topic))
    await topic.send(*events(20), compression=compression)
    await topic.send(*events(1, first=20))
    async with reading(made):
        await made.appended(21)
    assert len(await made.ids()) == 21


async def test_a_record_larger_than_a_fetch_is_rejected_and_the_next_one_read(made: Reading, kafka: Broker) -> None:
    topic = await Topic(kafka).make(max_message_bytes=str(8 * 1024 * 1024))
    await made.bind(bound(topic))
    await topic.send(encoded(usage_event("huge", data={"feature": "x" * 6_000_000})))
    await topic.send(*events(1))
    async with reading(made):
        await made.appended(2)
    assert await made.ids() == ["e0"]
    [row] = (await made.refused()).values()
    assert (row.reason, len(row.raw)) == ("too_large", 64 * 1024)


async def test_records_without_time_are_received_when_the_broker_says_only_where_it_stamps_them(
    made: Reading, kafka: Broker
) -> None:
    theirs = await Topic(kafka).make(message_timestamp_type="CreateTime")
    ours = await Topic(kafka).make(message_timestamp_type="LogAppendTime")
    await made.bind(bound(theirs, ours))
    began_us = made.base.clock.now_us()
    yesterday_ms = (began_us // 1_000) - 86_400_000
    await theirs.send(encoded(usage_event("created")), timestamp_ms=yesterday_ms)
    await ours.send(encoded(usage_event("stamped")), timestamp_ms=yesterday_ms)
    await asyncio.sleep(1.0)
    read_us = made.base.clock.now_us()
    async with reading(made):
        await made.appended(2)
    received = {row.id: row.received_us for row in await uses(made)}
    assert received["created"] >= read_us
    assert began_us - 1_000 <= received["stamped"] <= read_us - SECOND // 2


async def test_a_topic_of_history_takes_events_of_any_age(made: Reading, kafka: Broker) -> None:
    history, live = await Topic(kafka).make(), await Topic(kafka).make()
    await made.bind(bound(history, more="backfill = true\n") + bound(live))
    old = (datetime.now(UTC) - timedelta(days=400)).isoformat()
    await history.send(encoded(usage_event("history", time=old)))
    await live.send(encoded(usage_event("live", time=old)))
    async with reading(made):
        await made.appended(2)
    assert {row.id: row.backfill for row in await uses(made)} == {"history": True, "live": False}


async def test_sources_follow_the_configuration_without_a_restart(made: Reading, kafka: Broker) -> None:
    first, second = await Topic(kafka).make(), await Topic(kafka).make()
    await first.send(*events(3))
    await second.send(*events(3, first=3))
    async with reading(made) as source:
        assert source.standing == (True, "no topic is bound")
        await made.bind(bound(first))
        await made.appended(3)
        await bind_soon(made, bound(first, second))
        await made.appended(6)
        await first.send(*events(2, first=6))
        await made.appended(8)
        await until(lambda: source.standing == (True, "reads 2 topics"))
        assert (await readiness.topics(lambda: source.standing)()).ready
    assert await made.ids() == [f"e{number}" for number in range(8)]
    assert [await first.committed(made.group), await second.committed(made.group)] == [[5], [3]]


async def bind_soon(made: Reading, text: str) -> None:
    """Apply a configuration as one that begins in a moment; a machine on which the moment is over already takes a longer one."""
    for ahead_s in (2, 20):
        at = datetime.now(UTC) + timedelta(seconds=ahead_s)
        try:
            await made.bind(f"valid_from = {at.isoformat()}\n{text}")
        except InvalidConfiguration:
            continue
        return
    raise AssertionError("twenty seconds were over before a configuration was applied")


async def test_a_topic_that_is_made_later_is_read_from_its_beginning(made: Reading, kafka: Broker, topic: Topic) -> None:
    later = Topic(kafka)
    await made.bind(bound(topic, later))
    await topic.send(*events(1))
    async with reading(made):
        await made.appended(1)
        await until(lambda: made.metric("missing_topics") == 1)
        await later.make()
        await later.send(*events(2, first=1))
        await made.appended(3)
        await until(lambda: made.metric("missing_topics") == 0)
    assert await made.ids() == ["e0", "e1", "e2"]


async def test_a_source_goes_on_where_it_stopped(made: Reading, topic: Topic) -> None:
    await made.bind(bound(topic))
    await topic.send(*events(5))
    async with reading(made):
        await made.appended(5)
    assert await topic.committed(made.group) == [5]
    await topic.send(*events(5, first=5))
    async with reading(made):
        await made.appended(10)
    assert await made.ids() == sorted(f"e{number}" for number in range(10))


async def test_what_retention_dropped_before_it_was_read_is_said_and_counted_and_the_rest_is_read(
    made: Reading, topic: Topic
) -> None:
    await made.bind(bound(topic))
    await topic.send(*events(4))
    async with reading(made):
        await made.appended(4)
    await topic.send(*events(6, first=4))
    await topic.drop_before(7)
    async with reading(made):
        await made.appended(7)
        assert made.metric("lost_records_total", topic=topic.name, partition="0") == 3
    assert await made.ids() == sorted(f"e{number}" for number in (0, 1, 2, 3, 7, 8, 9))


async def test_records_of_aborted_transactions_are_no_events(made: Reading, topic: Topic) -> None:
    await made.bind(bound(topic))
    producer = AIOKafkaProducer(bootstrap_servers=topic.kafka.bootstrap, transactional_id=topic.name)
    await producer.start()
    try:
        await producer.begin_transaction()
        await producer.send_and_wait(topic.name, encoded(usage_event("aborted")), partition=0)
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send_and_wait(topic.name, encoded(usage_event("committed")), partition=0)
    finally:
        await producer.stop()
    async with reading(made):
        await made.appended(1)
    assert await made.ids() == ["committed"]


async def test_nothing_is_read_while_the_log_has_no_room(database_url: str, kafka: Broker, topic: Topic) -> None:
    async with installed(database_url, kafka, max_log_backlog_events=1_000) as made:
        await made.bind(bound(topic))
        await topic.send(*events(1_200))
        async with reading(made) as source:
            await made.appended(1_200)
            await until(lambda: made.metric("waits") == 1)
            await topic.send(encoded(request_event("held")))
            assert source.standing == (False, "waits for room in the log")
            assert "held" not in await made.ids()
            await made.base.pool.execute(
                "update partition_progress p set events = l.events from log_partition l where l.partition = p.partition"
            )
            await made.appended(1_201)
            await until(lambda: made.metric("waits") == 0)


async def test_offsets_are_committed_only_when_the_log_has_the_events(made: Reading, topic: Topic) -> None:
    await made.bind(bound(topic))
    await topic.send(*events(3))
    async with reading(made), made.base.pool.acquire() as connection:
        async with connection.transaction():
            await connection.execute("lock table log_partition in access exclusive mode")
            await until(lambda: made.metric("events_total", topic=topic.name, outcome="accepted") == 3)
            # Four times as long as it takes from an append to its commit.
            await asyncio.sleep(4 * COMMIT_INTERVAL_S)
            assert await topic.committed(made.group) == [-1]
        await made.appended(3)
    assert await topic.committed(made.group) == [3]


async def test_a_record_that_is_read_again_is_the_same_event(made: Reading, kafka: Broker) -> None:
    theirs = await Topic(kafka).make()
    ours = await Topic(kafka).make(message_timestamp_type="LogAppendTime")
    await made.bind(bound(theirs, ours))
    await theirs.send(encoded(usage_event("timed", time="2026-11-22T00:00:00Z")), encoded(usage_event("untimed")), b"{")
    await ours.send(encoded(usage_event("stamped")))
    for twice in (4, 8):
        async with reading(made):
            await made.appended(twice)
        await theirs.set_offset(made.group, 0)
        await ours.set_offset(made.group, 0)
    rows = await uses(made)
    assert len(rows) == 6
    assert len({(row.id, row.id_hash) for row in rows}) == 3
    assert len({row.received_us for row in rows if row.id == "stamped"}) == 1
    rejected = (await made.logged())["rejected"]
    assert len(rejected) == 2
    assert len({row.id_hash for row in rejected}) == 1


async def test_a_header_whose_name_is_no_text_costs_no_record(made: Reading, topic: Topic) -> None:
    await made.bind(bound(topic))
    await topic.send(*events(2))
    await topic.send_unpackable()
    await topic.send(*events(1, first=2))
    async with reading(made):
        await made.appended(4)
    assert await made.ids() == ["e0", "e1", "e2"]
    # It holds an object, which is no event.
    assert {place: row.reason for place, row in (await made.refused()).items()} == {f"kafka:{topic.name}:0:2": "missing_field"}


async def test_a_batch_that_unpacks_to_more_than_the_limit_is_one_dead_letter_and_the_source_moves_on(
    database_url: str, kafka: Broker, topic: Topic
) -> None:
    async with installed(database_url, kafka, kafka_source_max_unpacked_bytes=1_000_000) as made:
        await made.bind(bound(topic))
        await topic.send(*events(2))
        await topic.send(encoded(usage_event("bomb", extension="x" * 1_200_000)), compression="gzip")
        await topic.send(*events(2, first=2), compression="gzip")
        async with reading(made) as source:
            await made.appended(5)
            await until(lambda: made.metric("lag_records", topic=topic.name, partition="0") == 0)
            assert source.standing == (True, "reads 1 topics")
        assert await made.ids() == ["e0", "e1", "e2", "e3"]
        [(place, row)] = (await made.refused()).items()
        assert (place, row.reason) == (f"kafka:{topic.name}:0:2", "too_large")
        assert "at offset 2 unpacks to more than 1,000,000 bytes" in row.detail
        assert made.metric("unreadable_records_total", topic=topic.name) == 1
        assert await topic.committed(made.group) == [5]


async def test_a_topic_that_ends_before_the_offset_is_read_from_its_beginning(made: Reading, topic: Topic) -> None:
    await made.bind(bound(topic))
    await topic.send(*events(2))
    await topic.set_offset(made.group, 1_000)
    async with reading(made):
        await made.appended(2)
    assert await made.ids() == ["e0", "e1"]
    assert made.metric("lost_records_total", topic=topic.name, partition="0") == 0


async def test_a_log_is_never_read_as_a_source_of_itself(made: Reading, topic: Topic) -> None:
    own = f"{made.base.settings.kafka_topic_prefix}-1"
    await made.bind(bound(topic) + f'[[kafka_source]]\ntopic = "{own}"\n')
    await topic.send(*events(1))
    async with reading(made) as source:
        await made.appended(1)
        await until(lambda: source.standing == (True, "reads 1 topics"))


async def test_a_source_that_reaches_no_broker_says_so_and_stops_when_asked(
    database_url: str, kafka: Broker, topic: Topic
) -> None:
    async with installed(database_url, kafka) as made:
        await made.bind(bound(topic))
        settings = made.base.settings.model_copy(update={"kafka_source_bootstrap": f"127.0.0.1:{free_port()}"})
        nowhere = replace(made, base=replace(made.base, settings=settings))
        async with reading(nowhere) as source:
            await until(lambda: "does not answer" in source.standing[1])
            assert not source.standing[0]
        assert made.base.telemetry.registry.get_sample_value("tidegauge_source_failures_total", {"cause": "kafka"})
