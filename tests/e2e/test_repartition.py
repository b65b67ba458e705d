"""The log goes to another generation while a client sends: nothing lost, nothing twice, and roles follow by themselves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker import Broker
from tests.e2e.harness import Installation, kafka_settings
from tests.e2e.test_kills import counted_once, sending, started

SEED = 7


@pytest.fixture
def running(installation: Installation) -> Installation:
    started(installation)
    return installation


@pytest.fixture
def running_on_kafka(database_url: str, tmp_path: Path, kafka: Broker) -> Iterator[Installation]:
    with Installation(database_url, tmp_path, **kafka_settings(kafka), partitions="3") as made:
        started(made)
        yield made


def repartition(installation: Installation, *words: str) -> str:
    done = installation.run("repartition", *words, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_another_number_of_partitions_loses_nothing_and_roles_go_on_by_themselves(running: Installation) -> None:
    with sending(running, SEED) as (client, events):
        assert "no events were taken for" in repartition(running, "--partitions", "7")
        assert "generation 2 of the log is in Postgres, 7 partitions already" in repartition(running, "--partitions", "7")
    client.send(events)
    client.settle(timeout_s=60, poll_s=0.1)
    counted_once(running, client, events)


def test_on_kafka_the_same_holds(running_on_kafka: Installation) -> None:
    with sending(running_on_kafka, SEED) as (client, events):
        repartition(running_on_kafka, "--partitions", "5")
    client.send(events)
    client.settle(timeout_s=60, poll_s=0.1)
    counted_once(running_on_kafka, client, events)
