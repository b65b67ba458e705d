"""An installation whose log goes from generation to generation, in one process, on both kinds of log."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import asyncpg

from service.abandoning import Abandoning, Undo
from service.aggregate.worker import Worker
from service.clock import SystemClock
from service.domain.families.rows import RequestRow
from service.domain.identity import IdHasher, partition_of
from service.domain.ids import Partition
from service.errors import LogSealed, LogUnavailable
from service.eventlog.balance import LogCounts
from service.eventlog.codec import encode
from service.eventlog.opening import POSTGRES, open_log
from service.eventlog.port import Draft, EventLog
from service.repartition import Progress, Repartitioning
from service.settings import Settings
from service.store import ledger, repartition
from service.store.installation import Installation, ensure_installation
from service.telemetry import Telemetry

CLOCK = SystemClock()
SETTLE_TIMEOUT_S = 180.0


@dataclass
class Place:
    """An installation with one tenant, and the settings of whoever has both kinds of log."""

    pool: asyncpg.Pool
    settings: Settings
    tenant: int = 0
    made: int = 0
    sequences: defaultdict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    producer: str = field(default_factory=lambda: uuid4().hex[:16])

    async def begin(self, kind: str, partitions: int) -> None:
        async with self.pool.acquire() as connection:
            await ensure_installation(connection, self.settings.model_copy(update={"partitions": partitions}), log_kind=kind)
            self.tenant = await connection.fetchval("insert into tenant (name, timezone) values ('acme', 'UTC') returning id")

    async def installation(self) -> Installation:
        async with self.pool.acquire() as connection:
            found, _ = await repartition.stand(connection)
        return found

    @contextlib.asynccontextmanager
    async def log(self) -> AsyncIterator[EventLog]:
        """The generation in use."""
        now = await self.installation()
        where: dict[str, Any] = {"generation": now.generation, "partitions": now.partitions, "kind": now.log_kind}
        opened = await open_log(self.settings, self.pool, clock=CLOCK, **where)
        try:
            yield opened
        finally:
            await opened.close()

    async def rows(self, count: int) -> list[RequestRow]:
        """New events of the last hours, some without a time."""
        hasher = IdHasher((await self.installation()).hash_key)
        made = []
        for number in range(self.made, self.made + count):
            now_us = CLOCK.now_us()
            time_us = None if number % 5 == 0 else now_us - number * 7_000_000
            id_hash = hasher.of(self.tenant, "test", f"e{number}", time_us)
            head = (id_hash, self.tenant, "test", f"e{number}", time_us, now_us, "", False, None)
            made.append(RequestRow(*head, service="api", status=200, latency_ns=1))
        self.made += count
        return made

    async def append(self, log: EventLog, rows: Sequence[RequestRow]) -> None:
        """Append rows as ingest does: after a failure by another producer, for its numbers would have a gap."""
        parts: defaultdict[Partition, list[RequestRow]] = defaultdict(list)
        for row in rows:
            parts[partition_of(row.id_hash, log.partitions)].append(row)
        drafts = []
        for partition, mine in sorted(parts.items()):
            key = (log.generation, partition)
            for encoded in encode(self.producer, self.sequences[key], {"request": mine}):
                drafts.append(Draft(partition, encoded.events, encoded.payload))
                self.sequences[key] += 1
        try:
            await log.append(drafts)
        except LogUnavailable:
            self.sequences.clear()
            self.producer = uuid4().hex[:16]
            raise

    async def eventually_taken(self, rows: Sequence[RequestRow]) -> None:
        """Append until the brokers have heard that they may."""
        async with asyncio.timeout(SETTLE_TIMEOUT_S), self.log() as log:
            while True:
                try:
                    await self.append(log, rows)
                except LogSealed:
                    await asyncio.sleep(0.1)
                else:
                    return

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[EventLog]:
        """A worker on the generation in use, stopped cleanly at the end."""
        async with self.log() as log:
            now = await self.installation()
            worker = Worker(
                log=log, pool=self.pool, settings=self.settings, clock=CLOCK, telemetry=Telemetry("aggregate"), installation=now
            )
            running = asyncio.create_task(worker.run())
            try:
                yield log
            finally:
                await worker.stop()
                await running

    async def settled(self, log: EventLog) -> ledger.LedgerReport:
        """Wait until nothing is pending; the ledger must be right all the while."""
        counts = None if (await self.installation()).log_kind == POSTGRES else LogCounts(log, from_records=True)
        async with asyncio.timeout(SETTLE_TIMEOUT_S):
            while True:
                async with self.pool.acquire() as connection:
                    report = await ledger.check(connection, counts)
                assert report.mistakes == ()
                if not report.pending:
                    return report
                await asyncio.sleep(0.05)

    @contextlib.asynccontextmanager
    async def repartitioning(self, kind: str, partitions: int) -> AsyncIterator[AsyncIterator[Progress]]:
        """What the command does; left before its end, it is as if it had been killed there."""
        async with self.pool.acquire() as connection:
            now, under_way = await repartition.stand(connection)
            if under_way is None:
                under_way = await repartition.begin(connection, now, log_kind=kind, partitions=partitions)
        job = Repartitioning(self.settings, self.pool, CLOCK, now, under_way)
        async with contextlib.aclosing(job.run()) as running:
            yield running

    async def taken_back(self, until: Undo | None = None) -> Abandoning:
        """What `--abandon` does; with `until`, it is as if it had been killed before that step."""
        async with self.pool.acquire() as connection:
            now, under_way = await repartition.stand(connection)
        assert under_way is not None
        job = Abandoning(self.settings, self.pool, now, under_way)
        async with contextlib.aclosing(job.run()) as running:
            async for at in running:
                if at is until:
                    break
        return job

    async def repartition(self, kind: str, partitions: int) -> None:
        async with self.repartitioning(kind, partitions) as running:
            async for _ in running:
                pass
