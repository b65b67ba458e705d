"""Events per CPU-second through the codec and the Postgres log: `python -m loadtests.bench_log [EVENTS]`.

Starts a Postgres of its own (with fsync) in a temporary directory; Postgres's CPU counts all its processes.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.clock import SystemClock
from service.domain.families.rows import RequestRow
from service.domain.ids import Offset, Partition
from service.eventlog.codec import decode, encode
from service.eventlog.port import Draft
from service.eventlog.postgres import PostgresLog
from service.settings import Settings
from service.store.embedded import EmbeddedPostgres
from service.store.engine import create_pool
from service.store.installation import ensure_installation
from service.store.migrate import migrate

PARTITIONS = 4
EVENTS_A_RECORD = (1, 20, 500, 2_500)
MAX_APPENDS = 5_000
READ_BYTES = 8_000_000
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def rows(count: int) -> list[RequestRow]:
    """Requests as a busy API reports them: 16 random bytes of hash, a UUID as id, few routes and accounts."""
    now_us = SystemClock().now_us()
    return [
        RequestRow(
            id_hash=os.urandom(16),
            tenant=1,
            source="/services/api",
            id=os.urandom(16).hex(),
            time_us=now_us - i,
            received_us=now_us,
            account=f"account-{i % 50}",
            backfill=False,
            raw=None,
            service="api",
            route=f"/v1/things/{i % 20}",
            method="GET",
            status=200,
            latency_ns=1_000_000 + i * 977,
            region="eu-west-1",
        )
        for i in range(count)
    ]


def cpu_s(server: int) -> float:
    """CPU-seconds of a Postgres: its postmaster, the backends that live, and those that have ended."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if server in (int(path.parent.name), int(fields[1])):
            ticks += sum(map(int, fields[11:15]))
    return ticks / TICKS_A_SECOND


@contextmanager
def measured(what: str, events: int, server: int) -> Iterator[None]:
    """Print what one stretch of work took."""
    wall, own, postgres = time.perf_counter(), time.process_time(), cpu_s(server)
    yield
    wall, own, postgres = time.perf_counter() - wall, time.process_time() - own, cpu_s(server) - postgres
    cpu = own + postgres
    print(
        f"  {what:8} {events / wall:12,.0f} events/s {events / cpu:12,.0f} events per CPU-second "
        f"({own / events * 1e6:6.2f} µs here, {postgres / events * 1e6:6.2f} µs in Postgres, an event)"
    )


async def bench(server: EmbeddedPostgres, events_a_record: int, total: int) -> None:
    """Encode, append, read and decode `total` events in records of one size."""
    batch, pid = rows(events_a_record), server.pid or 0
    appends = min(MAX_APPENDS, max(1, total // (events_a_record * PARTITIONS)))
    events = appends * PARTITIONS * events_a_record
    async with await create_pool(server.url, max_size=2) as pool:
        await pool.execute("truncate log_record")
        await pool.execute("update log_partition set start_offset = 0, next_offset = 0, events = 0")
        log = await PostgresLog.open(pool, generation=1, partitions=PARTITIONS, clock=SystemClock())
        payload = encode("bench", 0, {"request": batch})[0].payload
        size = len(payload) / events_a_record
        print(f"{events_a_record} events a record, {size:.0f} bytes an event, {appends} appends of {PARTITIONS} records")
        with measured("encode", events, pid):
            for sequence in range(appends * PARTITIONS):
                encode("bench", sequence, {"request": batch})
        with measured("append", events, pid):
            for _ in range(appends):
                await log.append([Draft(Partition(p), events_a_record, payload) for p in range(PARTITIONS)])
        payloads: list[bytes] = []
        with measured("read", events, pid):
            positions = {Partition(p): Offset(0) for p in range(PARTITIONS)}
            while records := await log.read(positions, max_bytes=READ_BYTES, wait_s=0):
                for record in records:
                    positions[record.partition] = Offset(record.offset + 1)
                    payloads.append(record.payload)
        with measured("decode", events, pid):
            decoded = sum(decode(payload).events for payload in payloads)
    if decoded != events:
        raise SystemExit(f"{events} events went in, {decoded} came out")


async def main(total: int) -> None:
    """Run all record sizes against one Postgres."""
    with tempfile.TemporaryDirectory(prefix="tidegauge-bench-", ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o755)  # noqa: S103
        server = EmbeddedPostgres(Path(directory) / "data")
        await server.start()
        try:
            await migrate(server.url, Settings())
            async with await create_pool(server.url, max_size=1) as pool, pool.acquire() as connection:
                await ensure_installation(connection, Settings(partitions=PARTITIONS), log_kind="postgres")
            for events_a_record in EVENTS_A_RECORD:
                await bench(server, events_a_record, total)
        finally:
            await server.stop()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000))
