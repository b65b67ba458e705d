"""The examples that speak to Kafka, run as they stand: brokers and the source are killed, and each event counts once."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from service.demo.client import Client
from tests.broker import Broker
from tests.clients.conftest import keys
from tests.clients.running import FOLDER, PYTHON, Event, Example, Site, events, until, write_lines
from tests.e2e.harness import Installation, kafka_settings
from tests.ingest.topics import Topic

EVENTS = 2_000
PARTITIONS = 3
IMPATIENT = """
import asyncio, sys
import aiokafka_client as example
example.GIVE_UP_S = float(sys.argv.pop())
sys.exit(asyncio.run(example.main(*sys.argv[1:])))
"""


@pytest.fixture
def topic(kafka: Broker) -> Topic:
    """A topic of a team's own."""
    return asyncio.run(Topic(kafka).make(PARTITIONS))


@pytest.fixture
def fed(make_database: Callable[[], str], tmp_path: Path, kafka: Broker, topic: Topic) -> Iterator[Site]:
    """An installation with a source that reads the topic."""
    with Installation(make_database(), tmp_path, **kafka_settings(kafka)) as service:
        service.start("api")
        service.wait_until_ready()
        declared = f'[[kafka_source]]\ntopic = "{topic.name}"\n'
        write, read = asyncio.run(keys(service.environment["TIDEGAUGE_DATABASE_URL"], "shop", declared))
        service.start("aggregate")
        service.start("source")
        with Client(service.address, write_key=write, read_key=read) as reader:
            yield Site(service, "shop", write, reader)


def test_every_event_of_aiokafka_counts_once_though_broker_and_source_are_killed(fed: Site, kafka: Broker, topic: Topic) -> None:
    sent = events(EVENTS)
    bad = sent[0] | {"id": "bad", "data": {}}
    with Example([PYTHON, "aiokafka_client.py", kafka.bootstrap, topic.name]) as run:
        run.feed([bad, *sent[: EVENTS // 2]])
        until(lambda: fed.stored() > 0, "nothing arrived")
        kafka.kill()
        fed.service.kill("source")
        run.feed(sent[EVENTS // 2 :])
        kafka.start()
        fed.service.start("source")
        assert run.end() == 0, run.errors
        assert run.unsent == []
    until(lambda: fed.stored() >= EVENTS, "events are missing")
    fed.counted_once(sent)
    assert fed.dead_lettered() == 1


def test_every_event_of_kcat_counts_once_though_the_broker_was_away(
    fed: Site, kafka: Broker, topic: Topic, tmp_path: Path
) -> None:
    sent = events(EVENTS)
    file = tmp_path / "events.ndjson"
    write_lines(file, sent)
    kafka.kill()
    with Example(["bash", "kcat.sh", kafka.bootstrap, topic.name, str(file)]) as run:
        until(lambda: "Connection refused" in run.errors, "kcat does not miss the broker")
        kafka.start()
        assert run.end() == 0, run.errors
    until(lambda: fed.stored() >= EVENTS, "events are missing")
    fed.counted_once(sent)


def test_aiokafka_hands_back_what_brokers_that_went_away_did_not_take(kafka: Broker, topic: Topic) -> None:
    first, *others = sent = events(50)
    with Example([PYTHON, "-c", IMPATIENT, kafka.bootstrap, topic.name, "20"]) as run:
        run.feed([first])
        until(lambda: written(topic), "nothing arrived")
        kafka.kill()
        try:
            run.feed(others)
            assert run.end() == 1, run.errors
        finally:
            kafka.start()
        handed_back = run.unsent
        missed = [event for event in handed_back if event["id"] != first["id"]]  # whose acknowledgement may have been lost
        assert by_id(missed) == by_id(others)
        assert "Traceback" not in run.errors
    with Example([PYTHON, "aiokafka_client.py", kafka.bootstrap, topic.name]) as run:
        run.feed_lines(["no JSON\n", "[]\n"])
        run.feed(handed_back)
        assert run.end() == 1, run.errors
        assert "line 1 is not an event" in run.errors
        assert "line 2 is not an event" in run.errors
        assert run.unsent == []
    assert {event["id"] for event in written(topic)} == {event["id"] for event in sent}


def test_aiokafka_hands_back_everything_where_there_is_no_broker() -> None:
    sent = events(5)
    with Example([PYTHON, "-c", IMPATIENT, "127.0.0.1:1", "nowhere", "1"]) as run:
        run.feed(sent)
        assert run.end() == 1
        assert "no brokers at 127.0.0.1:1" in run.errors
        assert run.unsent == sent


def test_the_page_gives_kcat_events_with_their_time(kafka: Broker, topic: Topic, tmp_path: Path) -> None:
    shown = re.search(r"\[kcat\.sh\].*`(.+)` \|$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert shown
    command = shown[1].replace("127.0.0.1:9092", kafka.bootstrap).replace("shop.events", topic.name)
    with Example(["bash", "-c", command.replace("now.ndjson", str(tmp_path / "now.ndjson"))]) as run:
        assert run.end() == 0, run.errors
    given = [json.loads(line) for line in (FOLDER / "events.ndjson").read_text().splitlines()]
    found = by_id(written(topic))
    assert [event | {"time": ""} for event in found] == [event | {"time": ""} for event in given]
    assert all(re.fullmatch(r"[\d-]+T[\d:]+Z", event["time"]) for event in found)


def by_id(several: list[Event]) -> list[Event]:
    return sorted(several, key=lambda event: event["id"])


def written(topic: Topic) -> list[Event]:
    """Every event in the topic."""

    async def read() -> list[Event]:
        consumer = AIOKafkaConsumer(bootstrap_servers=topic.kafka.bootstrap, enable_auto_commit=False)
        await consumer.start()
        try:
            places = [TopicPartition(topic.name, number) for number in range(PARTITIONS)]
            consumer.assign(places)
            await consumer.seek_to_beginning()
            end = sum((await consumer.end_offsets(places)).values())
            found: list[Event] = []
            while len(found) < end:
                for records in (await consumer.getmany(timeout_ms=1_000)).values():
                    found += [json.loads(record.value) for record in records]
            return found
        finally:
            await consumer.stop()

    return asyncio.run(asyncio.wait_for(read(), timeout=180))
