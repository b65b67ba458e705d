"""What the Postgres log promises beyond the contract: failures, plans, and what a crash leaves."""

import asyncio
import contextlib
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from service.clock import SystemClock
from service.domain.ids import Offset, Partition
from service.errors import LogMismatch, LogUnavailable, OffsetOutOfRange
from service.eventlog.port import Draft
from service.eventlog.postgres import MAX_READ_RECORDS, PostgresLog
from service.eventlog.postgres_statements import READ
from service.settings import Settings
from service.store.embedded import EmbeddedPostgres
from service.store.engine import create_pool
from service.store.installation import ensure_installation
from service.store.migrate import migrate
from tests.eventlog.conftest import PARTITIONS, Adapter

ALL = 64 * 1024 * 1024
P0 = Partition(0)
START = {P0: Offset(0)}


def draft(payload: bytes, partition: int = 0) -> Draft:
    return Draft(Partition(partition), 1, payload)


@pytest.fixture
async def log(postgres_adapter: Adapter) -> PostgresLog:
    opened = await postgres_adapter.open()
    assert isinstance(opened, PostgresLog)
    return opened


@contextlib.asynccontextmanager
async def counters_held(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Another appender that has the counters and does not commit."""
    held = connection.transaction()
    await held.start()
    await connection.execute("select 1 from log_partition for update")
    try:
        yield
    finally:
        await held.rollback()


async def backends_waiting(connection: asyncpg.Connection, count: int) -> list[int]:
    """The backends of appends, once so many of them wait for a lock."""
    async with asyncio.timeout(60):
        while True:
            await connection.execute("select pg_stat_clear_snapshot()")
            rows = await connection.fetch(
                "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            )
            if len(rows) >= count:
                return [row["pid"] for row in rows]
            await asyncio.sleep(0.01)


async def test_an_append_whose_connection_breaks_says_try_again(log: PostgresLog, connection: asyncpg.Connection) -> None:
    async with counters_held(connection):
        appending = asyncio.create_task(log.append([draft(b"a")]))
        [pid] = await backends_waiting(connection, 1)
        await connection.execute("select pg_terminate_backend($1)", pid)
        with pytest.raises(LogUnavailable, match="terminating connection"):
            await appending
    assert list(await log.append([draft(b"b")])) == [0]


async def test_an_append_that_is_cancelled_in_the_server_says_try_again(log: PostgresLog, connection: asyncpg.Connection) -> None:
    async with counters_held(connection):
        appending = asyncio.create_task(log.append([draft(b"a")]))
        [pid] = await backends_waiting(connection, 1)
        await connection.execute("select pg_cancel_backend($1)", pid)
        with pytest.raises(LogUnavailable, match="canceling statement"):
            await appending
    assert list(await log.append([draft(b"b")])) == [0]


async def test_an_append_given_up_by_its_caller_leaves_no_gap(log: PostgresLog, connection: asyncpg.Connection) -> None:
    async with counters_held(connection):
        given_up = [asyncio.create_task(log.append([draft(b"given up")])) for _ in range(4)]
        await backends_waiting(connection, 4)
        for task in given_up:
            task.cancel()
        results = await asyncio.gather(*given_up, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert list(await log.append([draft(b"a"), draft(b"b")])) == [0, 1]
    assert [r.payload for r in await log.read(START, max_bytes=ALL, wait_s=0)] == [b"a", b"b"]


async def test_a_closed_pool_is_an_unavailable_log(log: PostgresLog, pool: asyncpg.Pool) -> None:
    await pool.close()
    with pytest.raises(LogUnavailable):
        await log.append([draft(b"a")])
    with pytest.raises(LogUnavailable):
        await log.read(START, max_bytes=ALL, wait_s=1)
    with pytest.raises(LogUnavailable):
        await log.extents()
    with pytest.raises(LogUnavailable):
        await log.trim(START, older_than_us=0)


async def test_an_append_does_not_wait_for_ever_for_a_connection(
    log: PostgresLog, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.eventlog.postgres.ACQUIRE_TIMEOUT_S", 0.05)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(pool.get_max_size()):
            await stack.enter_async_context(pool.acquire())
        with pytest.raises(LogUnavailable, match="TimeoutError"):
            await log.append([draft(b"a")])


async def test_a_generation_that_was_never_made_is_refused(pool: asyncpg.Pool, postgres_adapter: Adapter) -> None:
    with pytest.raises(LogMismatch, match=f"generation 2 of the log has 0 partitions, not {PARTITIONS}"):
        await PostgresLog.open(pool, generation=2, partitions=PARTITIONS, clock=SystemClock())


async def test_a_record_that_has_gone_stops_the_reader_loudly(log: PostgresLog, connection: asyncpg.Connection) -> None:
    await log.append([draft(bytes([i])) for i in range(4)])
    await connection.execute('delete from log_record where "offset" = 2')
    for position in (0, 2):
        with pytest.raises(OffsetOutOfRange, match="record 2 of partition 0 is missing, though the log holds 0 to 4"):
            await log.read({P0: Offset(position)}, max_bytes=ALL, wait_s=0)
    await connection.execute('delete from log_record where "offset" = 3')
    with pytest.raises(OffsetOutOfRange, match="record 3 of partition 0 is missing"):
        await log.read({P0: Offset(3)}, max_bytes=ALL, wait_s=0)


async def test_a_counter_that_has_gone_stops_appends_and_reads_loudly(log: PostgresLog, connection: asyncpg.Connection) -> None:
    await connection.execute("delete from log_partition where partition = 1")
    with pytest.raises(LogMismatch, match="partition 1 of generation 1 has gone"):
        await log.append([draft(b"a"), draft(b"b", partition=1)])
    with pytest.raises(LogMismatch, match="partition 1 of generation 1 has gone"):
        await log.read({P0: Offset(0), Partition(1): Offset(0)}, max_bytes=ALL, wait_s=0)


async def test_a_trim_that_was_interrupted_is_finished_by_the_next(log: PostgresLog, connection: asyncpg.Connection) -> None:
    await log.append([draft(bytes([i])) for i in range(5)])
    await connection.execute("update log_partition set start_offset = 3 where partition = 0")
    assert [r.offset for r in await log.read({P0: Offset(3)}, max_bytes=ALL, wait_s=0)] == [3, 4]
    assert await log.trim(START, older_than_us=0) == 3
    assert await connection.fetchval("select count(*) from log_record") == 2


async def test_a_long_backlog_is_trimmed_in_bounded_steps(
    log: PostgresLog, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.eventlog.postgres.MAX_TRIM_RECORDS", 7)
    await log.append([draft(b"x", partition=i % 2) for i in range(60)])
    keep = {P0: Offset(30), Partition(1): Offset(20)}
    assert await log.trim(keep, older_than_us=2**62) == 50
    assert await connection.fetchval("select count(*) from log_record") == 10


async def test_appends_go_on_while_records_are_being_deleted(log: PostgresLog, connection: asyncpg.Connection) -> None:
    await log.append([draft(bytes([i])) for i in range(3)])
    held = connection.transaction()
    await held.start()
    await connection.execute('select 1 from log_record where "offset" = 1 for update')
    trimming = asyncio.create_task(log.trim({P0: Offset(3)}, older_than_us=2**62))
    other = await asyncio.wait_for(log.append([draft(b"meanwhile")]), 60)
    assert list(other) == [3]
    await held.rollback()
    assert await trimming == 3


async def test_a_read_looks_at_a_bounded_number_of_records(log: PostgresLog) -> None:
    await log.append([draft(b"x")] * (MAX_READ_RECORDS + 10))
    assert len(await log.read(START, max_bytes=ALL, wait_s=0)) == MAX_READ_RECORDS


async def test_a_read_deep_in_a_long_log_uses_the_key(log: PostgresLog, connection: asyncpg.Connection) -> None:
    await log.append([draft(b"x" * 100, partition=i % PARTITIONS) for i in range(40_000)])
    await connection.execute("analyze log_record, log_partition")
    arguments = (1, list(range(PARTITIONS)), [5_000] * PARTITIONS, 100_000, 500)
    explained = await connection.fetchval("explain (analyze, format json) " + READ, *arguments)
    scans = [node for node in walk(json.loads(explained)[0]["Plan"]) if node.get("Relation Name") == "log_record"]
    assert {node["Index Name"] for node in scans} == {"log_record_pkey"}
    assert {node["Actual Rows"] for node in scans} == {500}


def walk(node: dict[str, Any]) -> list[dict[str, Any]]:
    children = node.get("Plans", [])
    return [node, *(found for child in children for found in walk(child))]


@pytest.fixture
async def durable_server() -> AsyncIterator[EmbeddedPostgres]:
    """A Postgres of the test's own, with fsync, that it may kill."""
    with tempfile.TemporaryDirectory(prefix="tidegauge-test-", ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o755)  # noqa: S103
        server = EmbeddedPostgres(Path(directory) / "data")
        await server.start()
        yield server
        await server.stop()


async def test_what_was_acknowledged_survives_a_kill_of_postgres(durable_server: EmbeddedPostgres) -> None:
    acknowledged = await append_until_killed(durable_server)
    assert len(acknowledged) > 100
    await durable_server.start()
    async with await create_pool(durable_server.url) as pool:
        log = await PostgresLog.open(pool, generation=1, partitions=PARTITIONS, clock=SystemClock())
        records = await log.read(dict.fromkeys(map(Partition, range(PARTITIONS)), Offset(0)), max_bytes=ALL, wait_s=0)
        kept = {(int(r.partition), int(r.offset)): r.payload for r in records}
        extents = await log.extents()
    assert acknowledged.items() <= kept.items()
    assert {p: e.end for p, e in extents.items()} == {p: sum(q == p for q, _ in kept) for p in range(PARTITIONS)}


async def append_until_killed(server: EmbeddedPostgres) -> dict[tuple[int, int], bytes]:
    """Appends from several sides, SIGKILL in the middle; what was acknowledged until then."""
    await migrate(server.url, Settings())
    acknowledged: dict[tuple[int, int], bytes] = {}
    enough = asyncio.Event()
    async with await create_pool(server.url) as pool:
        async with pool.acquire() as connection:
            await ensure_installation(connection, Settings(partitions=PARTITIONS), log_kind="postgres")
        log = await PostgresLog.open(pool, generation=1, partitions=PARTITIONS, clock=SystemClock())

        async def append(number: int) -> None:
            for turn in range(100_000):
                drafts = [draft(f"{number}/{turn}/{p}".encode(), p) for p in (number % PARTITIONS, 0)]
                for one, offset in zip(drafts, await log.append(drafts), strict=True):
                    acknowledged[one.partition, offset] = one.payload
                if len(acknowledged) > 100:
                    enough.set()

        appending = [asyncio.create_task(append(number)) for number in range(4)]
        await asyncio.wait_for(enough.wait(), 120)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        for result in await asyncio.gather(*appending, return_exceptions=True):
            assert isinstance(result, LogUnavailable)
        pool.terminate()
    for _ in range(1_000):
        if not server.running():
            break
        await asyncio.sleep(0.01)
    return acknowledged
