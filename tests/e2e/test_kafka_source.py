"""The role `source` as its users run it: killed, shared, handed over and led to another log, it loses nothing."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.demo.client import Client
from service.supervisor import free_ports
from tests.broker import Broker
from tests.e2e import topics
from tests.e2e.harness import Installation, kafka_settings
from tests.ingest.topics import Topic

EVENTS = 3_000
PARTITIONS = 4
MAX_KILLS = 30
TIMEOUT_S = 180.0


def events(count: int = EVENTS, first: int = 0) -> list[dict[str, Any]]:
    data = {"service": "api", "status": 200, "latency_ms": 5}
    event = {"specversion": "1.0", "source": "/team", "type": "io.tidegauge.request.v1", "data": data}
    return [event | {"id": f"e{number}"} for number in range(first, first + count)]


class Team(threading.Thread):
    """Sends events in small batches until it is told to stop."""

    def __init__(self, topic: Topic) -> None:
        super().__init__(daemon=True)
        self._topic = topic
        self._stopping = threading.Event()
        self.sent = 0

    def run(self) -> None:
        while not self._stopping.is_set():
            topics.send(self._topic, events(40, self.sent))
            self.sent += 40

    def __enter__(self) -> "Team":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.join(TIMEOUT_S)
        assert not self.is_alive()


@contextmanager
def running(url: str, directory: Path, topic: Topic, **settings: str) -> Iterator[tuple[Installation, Client]]:
    """An installation whose tenant is bound to the topic; no source yet."""
    with Installation(url, directory, **topics.settings(topic), **settings) as installation:
        installation.start_all()
        client = installation.tenant("acme", scopes="ingest")
        declared = directory / "acme.toml"
        declared.write_text(topics.bound(topic))
        installation.run("apply", "--tenant", "acme", str(declared))
        yield installation, client


@pytest.fixture(params=["postgres", "kafka"])
def site(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path, kafka: Broker
) -> Iterator[tuple[Installation, Client, Topic]]:
    """An installation on either log."""
    settings = kafka_settings(kafka) if request.param == "kafka" else {}
    topic = topics.made(kafka, PARTITIONS)
    with running(database_url, tmp_path, topic, **settings) as (installation, client):
        yield installation, client, topic


def until(true: Any, timeout_s: float = TIMEOUT_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def read_by(port: int) -> float:
    """How many partitions a source reads, as its /metrics say."""
    try:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=60).text
    except httpx.HTTPError:
        return -1
    found = re.search(r"^tidegauge_source_partitions (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else -1


def ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False, timeout=60).is_success
    except httpx.HTTPError:
        return False


def balanced(installation: Installation) -> None:
    done = installation.run("check", check=False)
    assert done.stdout.endswith("the ledger is right\n"), done.stdout


def test_a_killed_source_loses_nothing_and_what_it_read_twice_counts_once(site: tuple[Installation, Client, Topic]) -> None:
    installation, client, topic = site
    with Team(topic) as team:
        for _ in range(MAX_KILLS):
            installation.start("source")
            stored = topics.outcomes(client)["stored"]
            # Killed while it works: what it appended last is not committed.
            until(lambda before=stored: topics.outcomes(client)["stored"] > before)
            installation.kill("source")
            if topics.outcomes(client)["duplicate"]:
                break
    installation.start("source")
    found = topics.wait_until_consumed(client, team.sent)
    until(lambda: topics.outcomes(client)["stored"] == team.sent)
    assert found["duplicate"] > 0
    assert found["dead_lettered"] == 0
    assert installation.stop("source") == 0
    balanced(installation)


def test_two_sources_share_a_topic_and_hand_it_over_without_reading_anything_twice(
    database_url: str, tmp_path: Path, kafka: Broker
) -> None:
    topic = topics.made(kafka, PARTITIONS)
    # Nobody dies here, and whoever stands still for seconds on a busy machine is not taken for dead.
    with running(database_url, tmp_path, topic, lease_s="60") as (installation, client):
        ports = dict(zip(("source-1", "source-2"), free_ports(2), strict=True))
        with Team(topic) as team:
            installation.start("source", "source-1", ops_port=str(ports["source-1"]))
            until(lambda: read_by(ports["source-1"]) == PARTITIONS)
            installation.start("source", "source-2", ops_port=str(ports["source-2"]))
            until(lambda: [read_by(port) for port in ports.values()] == [PARTITIONS / 2, PARTITIONS / 2])
            until(lambda: all(map(ready, ports.values())))
            assert installation.stop("source-1") == 0, installation.log("source-1")
            until(lambda: read_by(ports["source-2"]) == PARTITIONS)
        assert topics.wait_until_consumed(client, team.sent) == {"stored": team.sent, "duplicate": 0, "dead_lettered": 0}
        assert installation.stop("source-2") == 0
        assert '"level": "error"' not in installation.log("source-1") + installation.log("source-2")
        balanced(installation)


def test_a_source_waits_for_brokers_that_died_and_goes_on(site: tuple[Installation, Client, Topic]) -> None:
    installation, client, topic = site
    installation.start("source")
    topics.send(topic, events())
    topics.wait_until_consumed(client, 1)
    topic.kafka.kill()
    topic.kafka.start()
    topics.send(topic, events(EVENTS, EVENTS))
    topics.wait_until_consumed(client, 2 * EVENTS)
    until(lambda: topics.outcomes(client)["stored"] == 2 * EVENTS)
    assert installation.stop("source") == 0, installation.log("source")
    balanced(installation)


def test_a_source_follows_the_log_to_its_next_generation(database_url: str, tmp_path: Path, kafka: Broker) -> None:
    topic = topics.made(kafka, PARTITIONS)
    with running(database_url, tmp_path, topic) as (installation, client):
        installation.start("source")
        with Team(topic) as team:
            until(lambda: topics.outcomes(client)["stored"] > 0)
            installation.run("repartition", "--partitions", "7")
            moved = topics.outcomes(client)["stored"]
            until(lambda: topics.outcomes(client)["stored"] > moved)
        topics.wait_until_consumed(client, team.sent)
        until(lambda: topics.outcomes(client)["stored"] == team.sent)
        assert installation.stop("source") == 0, installation.log("source")
        balanced(installation)


def test_a_source_without_brokers_says_what_to_set(installation: Installation) -> None:
    refused = installation.run("source", check=False)
    assert refused.returncode == 1
    assert "set TIDEGAUGE_KAFKA_SOURCE_BOOTSTRAP=HOST:PORT" in refused.stderr
    assert "Traceback" not in refused.stderr
