"""The examples that speak to Kafka, run as they stand: brokers and the source are killed, and each event counts once."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.demo.client import Client
from tests.broker import Broker
from tests.clients.conftest import keys
from tests.clients.running import PYTHON, Example, Site, events, until, write_lines
from tests.e2e.harness import Installation, kafka_settings
from tests.ingest.topics import Topic

EVENTS = 2_000


@pytest.fixture
def topic(kafka: Broker) -> Topic:
    """A topic of a team's own."""
    return asyncio.run(Topic(kafka).make(partitions=3))


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
