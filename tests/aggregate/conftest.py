"""A running installation for the aggregator's tests: real log, real workers, a clock that can be moved."""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from uuid import uuid4

import asyncpg
import pytest

from service.aggregate.worker import Worker
from service.clock import SystemClock
from service.domain.families.rows import RejectedRow, Row
from service.domain.identity import IdHasher, partition_of
from service.domain.ids import Partition
from service.eventlog.balance import LogCounts
from service.eventlog.codec import encode
from service.eventlog.opening import POSTGRES, log_kind, open_log
from service.eventlog.port import Draft, EventLog
from service.ingest.append import Appender
from service.ingest.decode import Batch
from service.lifecycle import cancel
from service.settings import Settings
from service.store import ledger
from service.store.embedded import EmbeddedPostgres
from service.store.engine import create_pool
from service.store.installation import Installation, ensure_installation
from service.telemetry import Telemetry
from tests.broker import Broker
from tests.conftest import TEMPLATE

CONSUME_TIMEOUT_S = 180.0


@dataclass
class MovableClock:
    """The machine's clock, with an offset that tests move."""

    ahead_us: int = 0

    def now_us(self) -> int:
        return SystemClock().now_us() + self.ahead_us


@dataclass
class Site:
    """An installation with one tenant."""

    pool: asyncpg.Pool
    log: EventLog
    settings: Settings
    installation: Installation
    tenant: int
    url: str
    clock: MovableClock = field(default_factory=MovableClock)
    telemetry: Telemetry = field(default_factory=lambda: Telemetry("aggregate"))
    producer: str = "test"
    sequences: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def hasher(self) -> IdHasher:
        return IdHasher(self.installation.hash_key)

    @property
    def counts(self) -> LogCounts | None:
        """What the ledger has to ask a log for that is not in its database."""
        return None if self.installation.log_kind == POSTGRES else LogCounts(self.log, from_records=True)

    def worker(self, log: EventLog | None = None) -> Worker:
        return Worker(
            log=log or self.log,
            pool=self.pool,
            settings=self.settings,
            clock=self.clock,
            telemetry=self.telemetry,
            installation=self.installation,
        )

    @asynccontextmanager
    async def working(self, count: int = 1) -> AsyncIterator[list[Worker]]:
        """Workers that are stopped cleanly at the end; each reads the log by itself, as processes do."""
        async with AsyncExitStack() as stack:
            logs = [await stack.enter_async_context(opened_log(self)) for _ in range(count)]
            workers = [self.worker(log) for log in logs]
            tasks = [asyncio.create_task(worker.run()) for worker in workers]
            try:
                yield workers
            finally:
                for worker in workers:
                    await worker.stop()
                await asyncio.gather(*tasks)

    async def append(self, rows: Mapping[str, Sequence[Row | RejectedRow]]) -> None:
        """Append rows as ingest does, a record a partition."""
        parts: defaultdict[Partition, defaultdict[str, list[Row | RejectedRow]]] = defaultdict(lambda: defaultdict(list))
        for family, several in rows.items():
            for row in several:
                parts[partition_of(row.id_hash, self.log.partitions)][family].append(row)
        drafts = []
        for partition, families in sorted(parts.items()):
            for encoded in encode(self.producer, self.sequences[partition], families):
                drafts.append(Draft(partition, encoded.events, encoded.payload))
                self.sequences[partition] += 1
        await self.log.append(drafts)

    async def take(self, batch: Batch) -> None:
        """Append what the decoder made of a request, as the door does."""
        appender = Appender(self.log, Telemetry("test"), gather_ms=0, backlog_events=1_000_000)
        running = asyncio.create_task(appender.run())
        try:
            await appender.append(batch.rows, batch.packed)
        finally:
            await cancel([running])

    async def consume(self, workers: int = 1) -> None:
        """Let workers run until nothing is pending."""
        async with self.working(workers):
            await self.consumed()

    async def consumed(self) -> ledger.LedgerReport:
        """Wait until nothing is pending; the ledger must be right all the while."""
        deadline = asyncio.get_running_loop().time() + CONSUME_TIMEOUT_S
        while True:
            async with self.pool.acquire() as connection:
                report = await ledger.check(connection, self.counts)
            assert report.mistakes == ()
            if report.pending == 0:
                return report
            assert asyncio.get_running_loop().time() < deadline, f"{report.pending} events are still pending"
            await asyncio.sleep(0.02)


@pytest.fixture
def settings() -> Settings:
    return Settings(partitions=4, flush_interval_s=0.01)


_topics = count()
HASH_KEY = bytes(range(32))
"""The same in all sites of a test, so that the same rows can be given to several."""


@asynccontextmanager
async def opened_log(site: Site) -> AsyncIterator[EventLog]:
    """The site's log, opened once more."""
    fixed = site.installation
    words = {"generation": fixed.generation, "partitions": fixed.partitions}
    log = await open_log(site.settings, site.pool, **words, clock=site.clock, kind=fixed.log_kind)
    try:
        yield log
    finally:
        await log.close()


def in_kafka(settings: Settings, kafka: Broker) -> Settings:
    """The same settings for a site whose log is a topic of its own."""
    prefix = f"site-{os.getpid()}-{next(_topics)}"
    of_log = {"kafka_bootstrap": kafka.bootstrap, "kafka_topic_prefix": prefix, "allow_single_broker": True}
    return settings.model_copy(update=of_log)


@asynccontextmanager
async def open_site(url: str, settings: Settings, kafka: Broker | None = None) -> AsyncIterator[Site]:
    """An installation in a migrated database, with a tenant; its log is in Kafka, or in the same database."""
    settings = in_kafka(settings, kafka) if kafka else settings
    kind = log_kind(settings)
    pool = await create_pool(url, max_size=40)
    try:
        async with pool.acquire() as connection:
            await ensure_installation(connection, settings, log_kind=kind)
            await connection.execute("update installation set hash_key = $1", HASH_KEY)
            installation = await ensure_installation(connection, settings, log_kind=kind)
            tenant = await connection.fetchval(
                "insert into tenant (name, timezone) values ('acme', 'Europe/Berlin') returning id"
            )
        clock = MovableClock()
        words = {"generation": installation.generation, "partitions": installation.partitions}
        log = await open_log(settings, pool, **words, clock=clock, kind=kind)
        try:
            yield Site(pool, log, settings, installation, tenant, url, clock)
        finally:
            await log.close()
    finally:
        await pool.close()


@pytest.fixture
async def site(database_url: str, settings: Settings) -> AsyncIterator[Site]:
    async with open_site(database_url, settings) as opened:
        yield opened


@pytest.fixture(params=["postgres", "kafka"])
async def site_on_either_log(request: pytest.FixtureRequest, database_url: str, settings: Settings) -> AsyncIterator[Site]:
    """A site for what must hold whatever keeps the events."""
    kafka = request.getfixturevalue("kafka") if request.param == "kafka" else None
    async with open_site(database_url, settings, kafka) as opened:
        yield opened


@pytest.fixture
async def another_site(postgres: EmbeddedPostgres, settings: Settings) -> AsyncIterator[Callable[[], Awaitable[Site]]]:
    """Makes further sites, each in a database of its own."""
    async with AsyncExitStack() as stack:
        admin = await asyncpg.connect(postgres.url_of("postgres"))
        stack.push_async_callback(admin.close)

        async def drop(name: str) -> None:
            await admin.execute(f'drop database "{name}" with (force)')

        async def make() -> Site:
            name = f"site_{uuid4().hex}"
            await admin.execute(f'create database "{name}" template "{TEMPLATE}" strategy file_copy')
            stack.push_async_callback(drop, name)
            return await stack.enter_async_context(open_site(postgres.url_of(name), settings))

        yield make
