"""An installation whose event log is in Kafka: what operators see of it, and that it stays where it began."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from service.eventlog.kafka.group import GROUP
from service.supervisor import free_port
from tests.broker import Broker
from tests.e2e.harness import Installation, kafka_settings

EVENTS = 300


@pytest.fixture
def on_kafka(database_url: str, tmp_path: Path, kafka: Broker) -> Iterator[Installation]:
    with Installation(database_url, tmp_path, **kafka_settings(kafka), partitions="3") as made:
        yield made


def events() -> list[dict[str, Any]]:
    data = {"service": "api", "status": 200, "latency_ms": 5}
    event = {"specversion": "1.0", "source": "/kafka", "type": "io.tidegauge.request.v1", "data": data}
    return [event | {"id": f"e{number}"} for number in range(EVENTS)]


async def test_what_waits_in_kafka_is_seen_and_consumed_and_the_usual_tools_show_how_far(
    on_kafka: Installation, kafka: Broker
) -> None:
    on_kafka.start("api")
    on_kafka.wait_until_ready()
    client = on_kafka.tenant("acme", scopes="ingest")
    assert client.send(events()) == EVENTS
    assert client.get("/v1/ledger")["installation"] == {"pending": EVENTS, "balanced": True}
    assert f"pending {EVENTS}\nthe ledger is right" in on_kafka.run("check").stdout
    until(lambda: pending_of(on_kafka.run("status").stdout) == EVENTS)

    operations = free_port()
    on_kafka.start("aggregate", ops_port=str(operations))
    on_kafka.start("evaluate")
    client.settle(timeout_s=300, poll_s=0.05)
    assert client.get("/v1/kpis/requests", window="1h")["value"] == EVENTS
    assert f"stored {EVENTS} " in on_kafka.run("check").stdout
    address = f"http://127.0.0.1:{operations}"
    until(lambda: httpx.get(f"{address}/readyz", trust_env=False, timeout=60).is_success)
    until(
        lambda: (
            'tidegauge_aggregate_lag_events{partition="2"} 0.0'
            in httpx.get(f"{address}/metrics", trust_env=False, timeout=60).text
        )
    )
    for role in ("aggregate", "evaluate", "api"):
        assert on_kafka.stop(role) == 0, on_kafka.log(role)
    assert await committed(kafka, on_kafka.environment["TIDEGAUGE_KAFKA_TOPIC_PREFIX"]) > 0


def pending_of(status: str) -> int:
    """The sum of the column `pending` of `tidegauge status`."""
    rows = [line.split("│") for line in status.splitlines() if line.startswith("│") and line.count("│") == 9]
    return sum(int(row[5].replace(",", "")) for row in rows)


def until(true: Any, timeout_s: float = 180.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.1)


async def committed(kafka: Broker, prefix: str) -> int:
    """The sum of the group's offsets: how many records were read."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        wanted = [TopicPartition(f"{prefix}-1", partition) for partition in range(3)]
        found = await admin.list_consumer_group_offsets(GROUP, partitions=wanted)
    finally:
        await admin.close()
    return sum(max(0, place.offset) for place in found.values())


def test_an_installation_that_began_in_kafka_refuses_to_go_on_in_postgres(on_kafka: Installation) -> None:
    on_kafka.start("api")
    on_kafka.wait_until_ready()
    assert on_kafka.stop("api") == 0
    del on_kafka.environment["TIDEGAUGE_KAFKA_BOOTSTRAP"]
    refused = on_kafka.run("api", check=False)
    assert refused.returncode != 0
    assert "its event log is in kafka, the settings say postgres: set TIDEGAUGE_KAFKA_BOOTSTRAP" in refused.stderr
    assert "Traceback" not in refused.stderr
    refused = on_kafka.run("check", check=False)
    assert refused.returncode != 0
    assert "set TIDEGAUGE_KAFKA_BOOTSTRAP" in refused.stderr
