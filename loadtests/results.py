"""What a run found, as it is written to JSON; and the machine that it ran on."""

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import msgspec

from service import __version__
from service.clock import Clock, to_datetime

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("asyncpg", "msgspec", "numpy", "polars", "uvicorn", "uvloop", "httptools", "fastapi")


class Machine(msgspec.Struct, kw_only=True):
    """Where and with what it ran."""

    cores: int
    cpu: str
    memory_gb: float
    kernel: str
    python: str
    postgres: str
    tidegauge: str
    packages: dict[str, str]
    load_before: float
    """Processes that wanted to run, a minute's mean, before the run: above 0.5, somebody else was working."""


class Ingest(msgspec.Struct, kw_only=True):
    """Batches over HTTP to durable in the log."""

    events: int
    seconds: float
    event_bytes: float
    events_per_s: float
    events_per_api_cpu_s: float
    api_us: float
    """CPU an event, as in the following ones."""
    postgres_us: float
    client_us: float
    wal_bytes: float
    """An event."""
    p50_ms: float
    p99_ms: float


class Singles(msgspec.Struct, kw_only=True):
    """Requests of one event each."""

    requests_per_s: float
    """At the peak, each connection sending again as soon as it is answered."""
    peak_p50_ms: float
    peak_p99_ms: float
    half_requests_per_s: float
    half_p50_ms: float
    half_p99_ms: float
    api_us: float
    postgres_us: float
    """CPU a request at the peak."""


class Aggregate(msgspec.Struct, kw_only=True):
    """A backlog in the log to committed rollups; figures of the steady part, after the warm-up."""

    events: int
    warm_up_events: int
    """In which users, names and series are given out."""
    warm_up_seconds: float
    seconds: float
    events_per_s: float
    events_per_cpu_s: float
    aggregator_us: float
    postgres_us: float
    wal_bytes: float
    resident_mb: float
    peak_mb: float
    flushes: int
    duplicates: int
    ids: int
    bytes_an_id: float


class Visible(msgspec.Struct, kw_only=True):
    """From before an event is sent until the query API shows it."""

    background_events_per_s: float
    samples: int
    p50_ms: float
    p95_ms: float
    worst_ms: float


class Together(msgspec.Struct, kw_only=True):
    """Everything at once: client, API, aggregator, evaluator and Postgres on this machine."""

    events_per_s: float
    """The highest rate at which the backlog stays bounded."""
    seconds: float
    api_us: float
    aggregator_us: float
    evaluator_us: float
    postgres_us: float
    client_us: float


class Report(msgspec.Struct, kw_only=True):
    """One run."""

    at: str
    command: list[str]
    machine: Machine
    seconds: float = 0.0
    ingest: Ingest | None = None
    singles: Singles | None = None
    aggregate: Aggregate | None = None
    together: Together | None = None
    visible_modest: Visible | None = None
    visible_half: Visible | None = None

    def write(self, name: str) -> Path:
        """Write the report beside the bench, as NAME.json."""
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{name}.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self)) + b"\n")
        return path


async def begin(clock: Clock, url: str) -> Report:
    """An empty report that knows its machine."""
    from importlib.metadata import version  # noqa: PLC0415

    connection = await asyncpg.connect(url)
    try:
        postgres = str(await connection.fetchval("show server_version"))
    finally:
        await connection.close()
    machine = Machine(
        cores=os.cpu_count() or 0,
        cpu=_named("/proc/cpuinfo", "model name"),
        memory_gb=round(int(_named("/proc/meminfo", "MemTotal").split()[0]) / 1024**2, 1),
        kernel=platform.release(),
        python=platform.python_version(),
        postgres=postgres,
        tidegauge=__version__,
        packages={name: version(name) for name in PACKAGES},
        load_before=round(os.getloadavg()[0], 2),
    )
    now = to_datetime(clock.now_us()).astimezone(UTC)
    return Report(at=datetime.isoformat(now, timespec="seconds"), command=sys.argv[1:], machine=machine)


def _named(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"
