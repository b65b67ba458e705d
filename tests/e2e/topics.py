"""Topics of teams for tests that go the whole way: made, filled, bound, and waited for."""

import asyncio
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer

from service.demo.client import Client
from tests.broker import Broker
from tests.ingest.events import encoded
from tests.ingest.topics import Topic

CONSUMED_TIMEOUT_S = 300.0

_groups = iter(range(1_000_000))


def made(kafka: Broker, partitions: int = 1) -> Topic:
    return asyncio.run(Topic(kafka).make(partitions))


def settings(topic: Topic) -> dict[str, str]:
    """What a source needs to read it, in a group of its own."""
    group = f"e2e-{os.getpid()}-{next(_groups)}"
    return {"kafka_source_bootstrap": topic.kafka.bootstrap, "kafka_source_group": group}


def bound(topic: Topic, *, backfill: bool = False) -> str:
    """The part of a tenant's configuration that binds the topic."""
    return f'\n[[kafka_source]]\ntopic = "{topic.name}"\nbackfill = {str(backfill).lower()}\n'


def send(topic: Topic, events: Iterable[Mapping[str, Any]]) -> None:
    """Send events, each a record, spread over the partitions."""
    asyncio.run(topic.send(*map(encoded, events), partition=None))


async def values(topic: Topic) -> list[bytes]:
    """The values of all records that lie in the topic."""
    consumer = AIOKafkaConsumer(
        topic.name, bootstrap_servers=topic.kafka.bootstrap, group_id=None, auto_offset_reset="earliest", enable_auto_commit=False
    )
    found: list[bytes] = []
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        async with asyncio.timeout(CONSUMED_TIMEOUT_S):
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [record.value for record in records]
    finally:
        await consumer.stop()
    return found


def outcomes(client: Client) -> dict[str, int]:
    """What became of the tenant's events."""
    rows = client.get("/v1/ledger")["rows"]
    return {name: sum(row[name] for row in rows) for name in ("stored", "duplicate", "dead_lettered")}


def wait_until_consumed(client: Client, events: int, timeout_s: float = CONSUMED_TIMEOUT_S) -> dict[str, int]:
    """Wait until so many events (or more: records may be read twice) stand in the ledger; returns what became of them."""
    deadline = time.monotonic() + timeout_s
    while sum((found := outcomes(client)).values()) < events:
        assert time.monotonic() < deadline, f"of {events} events {found}"
        time.sleep(0.1)
    client.settle(timeout_s=timeout_s, poll_s=0.05)
    return outcomes(client)
