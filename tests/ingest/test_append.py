"""Requests share appends, each is answered when the log has acknowledged, and no sequence is ever in doubt."""

import asyncio
import contextlib
import random
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest

from service.clock import SystemClock
from service.domain.families.rows import RequestRow
from service.domain.identity import partition_of
from service.domain.ids import Offset, Partition
from service.errors import LogUnavailable, Overloaded
from service.eventlog.codec import Record, decode
from service.eventlog.port import Draft
from service.eventlog.postgres import PostgresLog
from service.ingest import append as module
from service.ingest.append import Appender
from service.settings import Settings
from service.store.engine import create_pool
from service.store.installation import ensure_installation
from service.telemetry import Telemetry

PARTITIONS = 4


def rows(count: int) -> dict[str, list[RequestRow]]:
    """So many request rows with ids of their own."""
    return {
        "request": [
            RequestRow(
                secrets.token_bytes(16),
                1,
                "/api",
                f"id-{secrets.token_hex(4)}",
                None,
                1,
                "",
                backfill=False,
                raw=None,
                service="api",
            )
            for _ in range(count)
        ]
    }


class WatchedLog(PostgresLog):
    """The real log; it can be held up, and it can break before or after the records are in it."""

    appends: list[int]
    gate: asyncio.Event
    breaks: list[str]

    @classmethod
    async def on(cls, pool: asyncpg.Pool) -> "WatchedLog":
        log = cls(pool, generation=1, partitions=PARTITIONS, clock=SystemClock())
        log.appends, log.gate, log.breaks = [], asyncio.Event(), []
        log.gate.set()
        return log

    async def append(self, drafts: Sequence[Draft]) -> Sequence[Offset]:
        self.appends.append(sum(draft.events for draft in drafts))
        await self.gate.wait()
        broken = self.breaks.pop(0) if self.breaks else ""
        if broken == "before":
            raise LogUnavailable("broken before")
        offsets = await super().append(drafts)
        if broken == "after":
            raise LogUnavailable("broken after")
        return offsets

    async def records(self) -> dict[Partition, list[Record]]:
        start = {Partition(number): Offset(0) for number in range(PARTITIONS)}
        found: dict[Partition, list[Record]] = defaultdict(list)
        while True:
            stored = await self.read(start, max_bytes=1_000_000, wait_s=0)
            if not stored:
                return found
            for record in stored:
                found[record.partition].append(decode(record.payload))
                start[record.partition] = Offset(record.offset + 1)

    async def ids(self) -> list[str]:
        return [row.id for records in (await self.records()).values() for record in records for row in record.request]


@pytest.fixture
async def log(database_url: str, connection: asyncpg.Connection) -> AsyncIterator[WatchedLog]:
    await ensure_installation(connection, Settings(partitions=PARTITIONS), log_kind="postgres")
    pool = await create_pool(database_url, max_size=4)
    yield await WatchedLog.on(pool)
    await pool.close()


@contextlib.asynccontextmanager
async def running(log: WatchedLog, *, gather_ms: float = 50, backlog_events: int = 1_000) -> AsyncIterator[Appender]:
    appender = Appender(log, Telemetry("test"), gather_ms=gather_ms, backlog_events=backlog_events)
    task = asyncio.create_task(appender.run())
    try:
        yield appender
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_what_is_acknowledged_is_in_the_log_in_the_partition_of_its_id(log: WatchedLog) -> None:
    sent = rows(100)
    async with running(log) as appender:
        await appender.append(sent)
        found = await log.records()
    assert {row for records in found.values() for record in records for row in record.request} == set(sent["request"])
    for partition, records in found.items():
        assert {partition_of(row.id_hash, PARTITIONS) for record in records for row in record.request} == {partition}


async def test_a_single_event_is_never_held(log: WatchedLog) -> None:
    async with running(log, gather_ms=600_000) as appender, asyncio.timeout(60):
        for _ in range(11):
            await appender.append(rows(1))
    assert log.appends == [1] * 11


async def test_requests_of_one_moment_share_an_append(log: WatchedLog) -> None:
    async with running(log) as appender:
        await asyncio.gather(*(appender.append(rows(2)) for _ in range(50)))
    assert log.appends == [100]


async def test_what_comes_while_an_append_is_in_flight_is_gathered(log: WatchedLog) -> None:
    log.gate.clear()
    async with running(log, gather_ms=200) as appender:
        tasks = [asyncio.create_task(appender.append(rows(1)))]
        await begun(log, 1)
        tasks += [asyncio.create_task(appender.append(rows(1))) for _ in range(20)]
        await asyncio.sleep(0)
        assert log.appends == [1]
        await begun(log, 2)
        assert log.appends == [1, 20], "after gather_ms the next lane goes, whether or not the first one is back"
        tasks += [asyncio.create_task(appender.append(rows(1))) for _ in range(5)]
        await asyncio.sleep(0.5)
        assert log.appends == [1, 20], "no more lanes than there are"
        log.gate.set()
        await asyncio.gather(*tasks)
    assert log.appends == [1, 20, 5]


async def begun(log: WatchedLog, appends: int) -> None:
    """Until so many appends have begun."""
    async with asyncio.timeout(60):
        while len(log.appends) < appends:  # noqa: ASYNC110  # the log sets no event
            await asyncio.sleep(0.001)


async def test_gathering_ends_when_the_append_in_flight_does(log: WatchedLog) -> None:
    log.gate.clear()
    async with running(log, gather_ms=100_000) as appender:
        first = asyncio.create_task(appender.append(rows(1)))
        await begun(log, 1)
        second = asyncio.create_task(appender.append(rows(1)))
        await asyncio.sleep(0.01)
        log.gate.set()
        async with asyncio.timeout(60):
            await asyncio.gather(first, second)


async def test_one_append_has_a_limit(log: WatchedLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_APPEND_EVENTS", 10)
    async with running(log) as appender:
        await asyncio.gather(*(appender.append(rows(4)) for _ in range(5)), appender.append(rows(11)))
    assert sorted(log.appends) == [4, 8, 8, 11]


async def test_more_than_may_wait_is_refused_and_later_taken(log: WatchedLog) -> None:
    log.gate.clear()
    async with running(log, backlog_events=10) as appender:
        task = asyncio.create_task(appender.append(rows(8)))
        await asyncio.sleep(0.01)
        with pytest.raises(Overloaded, match="10"):
            await appender.append(rows(3))
        log.gate.set()
        await task
        await appender.append(rows(3))
    assert len(await log.ids()) == 11


async def test_a_request_larger_than_the_backlog_is_taken_when_nothing_waits(log: WatchedLog) -> None:
    async with running(log, backlog_events=10) as appender:
        await appender.append(rows(50))
    assert len(await log.ids()) == 50


async def test_nothing_at_all_needs_no_append(log: WatchedLog) -> None:
    async with running(log) as appender:
        await appender.append({})
        await appender.append({"request": []})
    assert log.appends == []


async def test_sequences_have_no_gap_and_come_in_order(log: WatchedLog) -> None:
    async with running(log, gather_ms=1) as appender:
        for _ in range(20):
            await asyncio.gather(*(appender.append(rows(random.randint(1, 5))) for _ in range(10)))
    for records in (await log.records()).values():
        by_producer: dict[str, list[int]] = defaultdict(list)
        for record in records:
            by_producer[record.producer].append(record.sequence)
        assert all(sequences == list(range(len(sequences))) for sequences in by_producer.values())


@pytest.mark.parametrize("broken", ["before", "after"])
async def test_after_a_failed_append_the_producer_is_a_new_one(log: WatchedLog, broken: str) -> None:
    async with running(log) as appender:
        await appender.append(rows(8))
        log.breaks.append(broken)
        log.breaks.append(broken)
        for _ in range(2):  # a lane each
            with pytest.raises(LogUnavailable, match="broken"):
                await appender.append(rows(8))
        for _ in range(4):
            await appender.append(rows(8))
    for records in (await log.records()).values():
        by_producer: dict[str, list[int]] = defaultdict(list)
        for record in records:
            by_producer[record.producer].append(record.sequence)
        assert all(sequences == list(range(len(sequences))) for sequences in by_producer.values()), "a gap means loss"


async def test_a_log_that_is_away_is_told_to_every_request_and_comes_back(log: WatchedLog) -> None:
    async with running(log) as appender:
        log.breaks.append("before")
        results = await asyncio.gather(*(appender.append(rows(1)) for _ in range(5)), return_exceptions=True)
        assert all(isinstance(result, LogUnavailable) for result in results)
        await appender.append(rows(1))
    assert len(await log.ids()) == 1


async def test_a_log_that_hangs_is_given_up(log: WatchedLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "APPEND_TIMEOUT_S", 0.05)
    log.gate.clear()
    async with running(log) as appender:
        with pytest.raises(LogUnavailable):
            await appender.append(rows(1))


async def test_a_request_that_left_does_not_take_others_with_it(log: WatchedLog) -> None:
    log.gate.clear()
    async with running(log) as appender:
        leaving, staying = (asyncio.create_task(appender.append(rows(1))) for _ in range(2))
        await begun(log, 1)
        leaving.cancel()
        log.gate.set()
        await staying
    assert len(await log.ids()) == 2


async def test_draining_answers_what_was_taken_and_takes_nothing_more(log: WatchedLog) -> None:
    log.gate.clear()
    async with running(log) as appender:
        tasks = [asyncio.create_task(appender.append(rows(1))) for _ in range(3)]
        await asyncio.sleep(0.01)
        draining = asyncio.create_task(appender.drain())
        await asyncio.sleep(0.01)
        with pytest.raises(Overloaded, match="stopping"):
            await appender.append(rows(1))
        assert not draining.done()
        log.gate.set()
        await draining
        assert all(task.done() and task.exception() is None for task in tasks)
    assert len(await log.ids()) == 3


async def test_a_process_that_stops_leaves_nobody_waiting(log: WatchedLog) -> None:
    log.gate.clear()
    async with running(log, gather_ms=100) as appender:
        tasks = [asyncio.create_task(appender.append(rows(1)))]
        await begun(log, 1)
        tasks.append(asyncio.create_task(appender.append(rows(1))))
        await asyncio.sleep(0.01)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, LogUnavailable) for result in results)
