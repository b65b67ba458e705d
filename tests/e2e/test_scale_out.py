"""Roles as processes against one Kafka and one Postgres: partitions go to who lives, evenly, and lag tools show what waits."""

import asyncio
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from service.eventlog.kafka.group import GROUP
from tests.broker import JARS, Broker
from tests.e2e.harness import Installation, kafka_settings

PARTITIONS = 6
PATIENCE_S = 240.0
LONG_LEASE_S = 120
LAG_TOOL = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"


@pytest.fixture
def on_kafka(database_url: str, tmp_path: Path, kafka: Broker) -> Iterator[Installation]:
    with Installation(database_url, tmp_path, **kafka_settings(kafka), partitions=str(PARTITIONS)) as made:
        made.start("api")
        made.wait_until_ready()
        yield made


def test_partitions_spread_evenly_as_workers_join_and_move_within_seconds_of_a_kill(
    on_kafka: Installation, database_url: str
) -> None:
    for number, shares in ((1, [6]), (2, [3, 3]), (3, [2, 2, 2])):
        on_kafka.start("aggregate", f"aggregate-{number}")
        until_held(database_url, shares)
    client = on_kafka.tenant("acme", scopes="ingest")
    client.send(events("a"))
    on_kafka.kill("aggregate-2")
    client.send(events("b"))
    client.settle(timeout_s=PATIENCE_S, poll_s=0.1)
    until_held(database_url, [3, 3])
    on_kafka.kill("aggregate-1")
    client.send(events("c"))
    client.settle(timeout_s=PATIENCE_S, poll_s=0.1)
    until_held(database_url, [6])
    assert client.get("/v1/kpis/requests", window="1h")["value"] == 3 * 60
    assert on_kafka.run("check").stdout.endswith("the ledger is right\n")


def test_partitions_of_a_worker_that_stops_are_taken_at_once_and_not_when_its_lease_ends(
    on_kafka: Installation, database_url: str
) -> None:
    client = on_kafka.tenant("acme", scopes="ingest")
    for number, shares in ((1, [6]), (2, [3, 3])):
        on_kafka.start("aggregate", f"aggregate-{number}", lease_s=str(LONG_LEASE_S))
        until_held(database_url, shares)
    began_s = time.monotonic()
    assert on_kafka.stop("aggregate-1") == 0
    until_held(database_url, [6])
    # Nobody has waited for the lease: that it moves sooner is what releasing it is for.
    assert time.monotonic() - began_s < LONG_LEASE_S
    client.send(events("a"))
    client.settle(timeout_s=PATIENCE_S, poll_s=0.1)
    assert client.get("/v1/kpis/requests", window="1h")["value"] == 60


def test_the_usual_lag_tool_shows_what_waits_and_nothing_once_all_is_consumed(on_kafka: Installation, kafka: Broker) -> None:
    topic = f"{on_kafka.environment['TIDEGAUGE_KAFKA_TOPIC_PREFIX']}-1"
    client = on_kafka.tenant("acme", scopes="ingest")
    on_kafka.start("aggregate")
    client.send(events("a"))
    client.settle(timeout_s=PATIENCE_S, poll_s=0.1)
    until(lambda: lag(kafka, topic) == 0)
    assert on_kafka.stop("aggregate") == 0
    client.send(events("b"))
    assert (lag(kafka, topic) or 0) > 0
    on_kafka.start("aggregate")
    client.settle(timeout_s=PATIENCE_S, poll_s=0.1)
    until(lambda: lag(kafka, topic) == 0)


def events(name: str) -> Iterator[dict[str, Any]]:
    data = {"service": "api", "status": 200, "latency_ms": 5}
    event = {"specversion": "1.0", "source": "/scale", "type": "io.tidegauge.request.v1", "data": data}
    return (event | {"id": f"{name}{number}"} for number in range(60))


def until_held(database_url: str, shares: list[int]) -> None:
    until(lambda: held(database_url) == shares)


def held(database_url: str) -> list[int]:
    """How many partitions each process holds, the most first."""
    return asyncio.run(_held(database_url))


async def _held(database_url: str) -> list[int]:
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(
            "select count(*) as held from lease where resource like 'log/%' and expires_at > clock_timestamp() group by owner"
        )
    finally:
        await connection.close()
    return sorted((row["held"] for row in rows), reverse=True)


def lag(kafka: Broker, topic: str) -> int | None:
    """The sum of the column LAG of `kafka-consumer-groups --describe`; None: the group has committed nothing yet."""
    java = shutil.which("java")
    assert java is not None
    words = ["--bootstrap-server", kafka.bootstrap, "--describe", "--group", GROUP]
    command = [java, "-Xmx96m", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*", LAG_TOOL, *words]
    said = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False).stdout
    rows = [line.split() for line in said.splitlines()]
    [header] = [row for row in rows if "LAG" in row] or [[]]
    found = [int(row[header.index("LAG")]) for row in rows if topic in row]
    return sum(found) if found else None


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.2)
