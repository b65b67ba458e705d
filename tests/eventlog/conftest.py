"""The adapters that the contract is held against; each test of the contract runs once with every one."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import pytest

from service.eventlog.kafka import KafkaConnection, KafkaLog, TopicPlan
from service.eventlog.port import EventLog
from service.eventlog.postgres import PostgresLog
from service.settings import Settings
from service.store.engine import create_pool
from service.store.installation import ensure_installation
from tests.broker import Broker
from tests.eventlog.generations import Place

PARTITIONS = 4
PATIENCE_S = 120.0


class MovableClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now_us: int = 1_800_000_000_000_000) -> None:
        self.time_us = now_us

    def now_us(self) -> int:
        return self.time_us


@dataclass(frozen=True, slots=True)
class Adapter:
    """How a kind of log is opened, as often as a test wants: as a second process would."""

    kind: str
    open: Callable[..., Awaitable[EventLog]]


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with await create_pool(database_url, max_size=16) as made:
        yield made


@pytest.fixture
async def postgres_adapter(pool: asyncpg.Pool, clock: MovableClock) -> Adapter:
    async with pool.acquire() as connection:
        installation = await ensure_installation(connection, Settings(partitions=PARTITIONS), log_kind="postgres")

    async def open_log(*, partitions: int = PARTITIONS) -> EventLog:
        return await PostgresLog.open(pool, generation=installation.generation, partitions=partitions, clock=clock)

    return Adapter("postgres", open_log)


@pytest.fixture
async def kafka_adapter(kafka: Broker, pool: asyncpg.Pool, clock: MovableClock) -> AsyncIterator[Adapter]:
    settings = kafka_settings(kafka)
    async with pool.acquire() as connection:
        installation = await ensure_installation(connection, settings, log_kind="kafka")
    opened: list[EventLog] = []
    # The contract is of brokers that answer: however long a busy machine makes them take.
    brokers = replace(KafkaConnection.of(settings), request_timeout_s=PATIENCE_S, append_timeout_s=PATIENCE_S)

    async def open_log(*, partitions: int = PARTITIONS) -> EventLog:
        log = await KafkaLog.open(
            brokers,
            TopicPlan.of(settings),
            pool,
            generation=installation.generation,
            partitions=partitions,
            clock=clock,
        )
        opened.append(log)
        return log

    yield Adapter("kafka", open_log)
    for log in opened:
        await log.close()


_topics = iter(range(1_000_000))


def kafka_settings(kafka: Broker, **changed: Any) -> Settings:
    """Settings of a log of the test's own at the run's broker."""
    said: dict[str, Any] = {
        "kafka_bootstrap": kafka.bootstrap,
        "kafka_topic_prefix": f"log-{next(_topics)}",
        "allow_single_broker": True,
        "partitions": PARTITIONS,
    }
    return Settings(**(said | changed))


@pytest.fixture(params=["postgres", "kafka"])
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """Every adapter there is."""
    made: Adapter = request.getfixturevalue(f"{request.param}_adapter")
    return made


@pytest.fixture
async def log(adapter: Adapter) -> AsyncIterator[EventLog]:
    """The log, opened."""
    opened = await adapter.open()
    yield opened
    await opened.close()


@pytest.fixture
async def place(pool: asyncpg.Pool) -> Place:
    """An installation that goes from generation to generation in Postgres."""
    return Place(pool, Settings(partitions=4, flush_interval_s=0.01, lease_s=2.0))


@pytest.fixture
async def place_with_kafka(pool: asyncpg.Pool, kafka: Broker) -> Place:
    """The same with brokers beside Postgres."""
    return Place(pool, kafka_settings(kafka, flush_interval_s=0.01, lease_s=2.0))
