"""Each process is killed in the middle of its work and started again: nothing lost, nothing twice."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from service.demo.client import Client
from tests.broker import Broker
from tests.e2e.harness import Installation, kafka_settings

EVENTS = 6_000
BATCH = 40


def stream(seed: int) -> list[dict[str, Any]]:
    """Events of the last hours with copies among them, in an order of their own."""
    chance = random.Random(seed)
    now = datetime.now(UTC)
    events: list[dict[str, Any]] = []
    for number in range(EVENTS):
        at = (now - timedelta(seconds=chance.uniform(0, 3 * 3_600))).isoformat()
        event = {"specversion": "1.0", "id": f"e{number}", "source": "/chaos", "time": at}
        if number % 3:
            data: dict[str, Any] = {
                "service": "api",
                "status": chance.choice((200, 200, 500)),
                "latency_ms": chance.randint(1, 500),
            }
            events.append(event | {"type": "io.tidegauge.request.v1", "data": data})
        else:
            user = f"u{chance.randrange(500)}"
            data = {"feature": chance.choice(("a", "b"))}
            events.append(event | {"type": "io.tidegauge.usage.v1", "subject": user, "data": data})
    events += chance.sample(events, EVENTS // 20)
    chance.shuffle(events)
    return events


class Sender(threading.Thread):
    """Sends everything, trying again by the contract's rules, while others kill."""

    def __init__(self, client: Client, events: list[dict[str, Any]]) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._events = events
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            for start in range(0, len(self._events), BATCH):
                self._client.send(self._events[start : start + BATCH])
                time.sleep(0.02)
        except Exception as error:  # noqa: BLE001  # told by the test
            self.error = error


@pytest.fixture
def running(installation: Installation) -> Installation:
    started(installation)
    return installation


@pytest.fixture
def running_on_kafka(database_url: str, tmp_path: Path, kafka: Broker) -> Iterator[Installation]:
    """The same with its event log in Kafka."""
    with Installation(database_url, tmp_path, **kafka_settings(kafka)) as made:
        started(made)
        yield made


def started(installation: Installation) -> None:
    installation.start("api")
    installation.start("aggregate", "aggregate-1")
    installation.start("aggregate", "aggregate-2")
    installation.start("evaluate")
    installation.wait_until_ready()


def test_processes_killed_at_random_moments_lose_nothing_and_count_nothing_twice(running: Installation) -> None:
    seed = 20_261_122
    with sending(running, seed) as (client, events):
        kill_and_restart(running, seed, ["api", "aggregate-1", "aggregate-2", "evaluate", "api", "aggregate-1"])
    counted_once(running, client, events)


def test_on_kafka_the_same_holds_when_the_broker_is_killed_as_well(running_on_kafka: Installation, kafka: Broker) -> None:
    seed = 4
    with sending(running_on_kafka, seed) as (client, events):
        for victim in ("aggregate-1", "api"):
            kill_and_restart(running_on_kafka, seed, [victim])
            kafka.kill()
            time.sleep(0.5)
            kafka.start()
    counted_once(running_on_kafka, client, events)


@contextmanager
def sending(installation: Installation, seed: int) -> Iterator[tuple[Client, list[dict[str, Any]]]]:
    """A client that sends a stream; afterwards it has sent it whole, and everything runs and is consumed."""
    events = stream(seed)
    client = installation.tenant("chaos", scopes="ingest")
    sender = Sender(client, events)
    sender.start()
    yield client, events
    sender.join(600)
    assert not sender.is_alive()
    assert sender.error is None
    installation.wait_until_ready()
    client.settle(timeout_s=300, poll_s=0.1)


def kill_and_restart(installation: Installation, seed: int, victims: Iterable[str]) -> None:
    chance = random.Random(seed)
    for victim in victims:
        time.sleep(chance.uniform(0.1, 0.7))
        installation.kill(victim)
        installation.start(victim.partition("-")[0], victim)


def counted_once(installation: Installation, client: Client, events: list[dict[str, Any]]) -> None:
    """The KPIs are those of plain loops over the events, each once, and the ledger is right."""
    unique = {event["id"]: event for event in events}
    requests = [event for event in unique.values() if event["type"].endswith("request.v1")]
    bounds = {"start": f"{datetime.now(UTC) - timedelta(hours=20):%FT%H:00:00Z}"}
    found = client.get("/v1/kpis/requests", **bounds, by="status")
    assert {row["dims"]["status"]: row["value"] for row in found["rows"]} == Counter(
        str(event["data"]["status"]) for event in requests
    )
    latency = client.get("/v1/kpis/request_latency", **bounds, stat="mean,count")["statistics"]
    assert latency["count"]["value"] == len(requests)
    assert latency["mean"]["value"] == pytest.approx(sum(e["data"]["latency_ms"] for e in requests) / len(requests), rel=1e-12)
    users = {event["subject"] for event in unique.values() if event["type"].endswith("usage.v1")}
    assert client.get("/v1/kpis/wau", window="7d")["value"] == len(users)
    stored = sum(row["stored"] for row in client.get("/v1/ledger")["rows"])
    assert stored == len(unique)
    assert installation.run("check").stdout.endswith("the ledger is right\n")


def test_a_worker_that_stops_hands_its_partitions_over_at_once(running: Installation) -> None:
    client = running.tenant("calm", scopes="ingest")
    assert running.stop("aggregate-1") == 0
    client.send(stream(3)[:BATCH])
    client.settle(timeout_s=300, poll_s=0.05)
    assert running.stop("aggregate-2") == 0
    assert running.stop("evaluate") == 0
    assert running.stop("api") == 0
