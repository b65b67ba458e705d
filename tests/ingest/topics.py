"""Topics of teams, and a source that reads them in this process: real broker, real log."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.record.util import calc_crc32c

from service.domain.families.rows import RejectedRow, Row
from service.domain.ids import Offset, Partition
from service.eventlog.codec import FAMILIES, decode
from service.ingest.append import Appender
from service.ingest.backlog import LogBacklog
from service.ingest.kafka import KafkaSource
from service.settings import Settings
from service.store.config import apply_config
from service.store.tenants import Tenant, create_tenant
from service.wiring import base as wiring
from service.wiring.source import kafka_source
from tests.broker import Broker
from tests.ingest.events import encoded, usage_event

PATIENCE_S = 180.0
STRUCTURED = [("content-type", b"application/cloudevents+json")]

_CRC_AT = 17
"""Where the checksum stands in a batch of records (Kafka protocol, record batch, magic 2); it covers what follows."""
_names = iter(range(1_000_000))
Headers = Iterable[tuple[str, bytes]]


@dataclass(frozen=True)
class Topic:
    """A topic of a team's own."""

    kafka: Broker
    name: str = field(default_factory=lambda: f"team-{os.getpid()}-{next(_names)}")

    async def make(self, partitions: int = 1, **configs: str) -> "Topic":
        async with administering(self.kafka) as admin:
            configs = {name.replace("_", "."): value for name, value in configs.items()}
            answer = await admin.create_topics([NewTopic(self.name, partitions, 1, topic_configs=configs)])
            assert all(code == 0 for _, code, *_ in answer.topic_errors), answer
        return self

    async def send(
        self,
        *values: bytes | None,
        headers: Headers = STRUCTURED,
        partition: int | None = 0,
        timestamp_ms: int | None = None,
        compression: str | None = None,
    ) -> int:
        """Send records in one batch; returns the offset of the last one."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.kafka.bootstrap, max_request_size=8 * 1024 * 1024, compression_type=compression
        )
        await producer.start()
        try:
            sent = [
                await producer.send(
                    self.name, value, key=b"key", partition=partition, headers=list(headers), timestamp_ms=timestamp_ms
                )
                for value in values
            ]
            *_, last = await asyncio.gather(*sent)
        finally:
            await producer.stop()
        offset: int = last.offset
        return offset

    async def _sent(self, producer: AIOKafkaProducer, value: bytes | None, **how: Any) -> Any:
        # The client wants a key where there is no value.
        return await producer.send(self.name, value, key=None if value else b"key", **how)

    async def send_unpackable(self, partition: int = 0) -> None:
        """A record whose header has a name that is no UTF-8, with the checksum that belongs to it."""
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka.bootstrap)
        await producer.start()
        try:
            batch = producer.create_batch()
            batch.append(key=None, value=b"{}", timestamp=None, headers=[("spoiled", b"")])
            batch.close()
            body = bytes(batch._build()).replace(b"spoiled", b"spoil\xff\xff")
            batch._buffer = body[:_CRC_AT] + calc_crc32c(body[_CRC_AT + 4 :]).to_bytes(4, "big") + body[_CRC_AT + 4 :]
            await (await producer.send_batch(batch, self.name, partition=partition))
        finally:
            await producer.stop()

    async def set_offset(self, group: str, offset: int, partition: int = 0) -> None:
        """What `kafka-consumer-groups --reset-offsets` does to a group that nobody is in."""
        place = TopicPartition(self.name, partition)
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka.bootstrap, group_id=group, enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign([place])
            await consumer.commit({place: offset})
        finally:
            await consumer.stop()

    async def drop_before(self, offset: int, partition: int = 0) -> None:
        """What retention does."""
        async with administering(self.kafka) as admin:
            await admin.delete_records({TopicPartition(self.name, partition): RecordsToDelete(offset)})

    async def committed(self, group: str, partitions: int = 1) -> list[int]:
        """How far a group has committed, by partition; -1: not at all."""
        wanted = [TopicPartition(self.name, number) for number in range(partitions)]
        async with administering(self.kafka) as admin:
            found = await admin.list_consumer_group_offsets(group, partitions=wanted)
        return [found[each].offset for each in wanted]


@contextlib.asynccontextmanager
async def administering(kafka: Broker) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


@dataclass
class Reading:
    """An installation with a source that reads topics."""

    base: wiring.Base
    tenant: Tenant
    door: Appender
    backlog: LogBacklog
    source: KafkaSource | None = None

    @property
    def group(self) -> str:
        return self.base.settings.kafka_source_group

    async def bind(self, text: str, tenant: str = "pilot") -> None:
        """Apply a configuration as the tenant's next version."""
        async with self.base.pool.acquire() as connection:
            await apply_config(connection, tenant, text, now_us=self.base.clock.now_us(), known_kpis=())

    async def logged(self) -> dict[str, list[Row | RejectedRow]]:
        """Every row in the log, by family."""
        event_log = self.base.event_log
        positions = {Partition(number): Offset(0) for number in range(event_log.partitions)}
        found: dict[str, list[Row | RejectedRow]] = {}
        while stored := await event_log.read(positions, max_bytes=10_000_000, wait_s=0):
            for record in stored:
                positions[record.partition] = Offset(record.offset + 1)
                content = decode(record.payload)
                for family in FAMILIES:
                    found.setdefault(family, []).extend(getattr(content, family))
        return {family: rows for family, rows in found.items() if rows}

    async def ids(self) -> list[str]:
        """The ids of all accepted events in the log, sorted."""
        return sorted(row.id for family, rows in (await self.logged()).items() if family != "rejected" for row in rows)

    async def refused(self) -> dict[str, RejectedRow]:
        """The rejected records in the log, by where they lay."""
        return {row.origin: row for row in (await self.logged()).get("rejected", []) if isinstance(row, RejectedRow)}

    async def appended(self, events: int) -> None:
        """Wait until the log has taken so many events, rejected ones included."""

        async def has() -> bool:
            return sum(each.events for each in (await self.base.event_log.extents()).values()) >= events

        await until(has)

    def metric(self, name: str, **labels: str) -> float:
        return self.base.telemetry.registry.get_sample_value(f"tidegauge_source_{name}", labels) or 0.0


async def until(true: Callable[[], Any], timeout_s: float = PATIENCE_S) -> None:
    """Wait for a condition, which may be a coroutine."""
    async with asyncio.timeout(timeout_s):
        while True:
            found = true()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def installed(database_url: str, kafka: Broker, **settings: Any) -> AsyncIterator[Reading]:
    """An installation with one tenant and no source yet."""
    group = f"source-{os.getpid()}-{next(_names)}"
    made_of = Settings(kafka_source_bootstrap=kafka.bootstrap, kafka_source_group=group, **settings)
    async with wiring.base(made_of, database_url, role="test", connections=4) as base:
        async with base.pool.acquire() as connection:
            tenant = await create_tenant(connection, "pilot", "UTC")
        door, backlog = wiring.appender(base), wiring.backlog(base)
        tasks = [asyncio.create_task(door.run()), asyncio.create_task(backlog.keep())]
        try:
            yield Reading(base, tenant, door, backlog)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def reading(made: Reading) -> AsyncIterator[KafkaSource]:
    """A source at work; stopped cleanly at the end."""
    source, stop = kafka_source(made.base, made.door, made.backlog), asyncio.Event()
    running = asyncio.create_task(source.run(stop))
    try:
        yield source
    finally:
        stop.set()
        await running


def events(count: int, first: int = 0, **fields: Any) -> list[bytes]:
    """Uses, each with its number as its id."""
    return [encoded(usage_event(f"e{number}", **fields)) for number in range(first, first + count)]
