"""What a run found, as it is written to JSON."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from loadtests.machine import Machine
from service.clock import Clock, to_datetime

RESULTS = Path(__file__).parent / "results"

CpuUs = dict[str, float]
"""Microseconds of CPU an event (or a request), by process: `api`, `aggregate`, `postgres`, `kafka`, `client` …"""


class Ingest(msgspec.Struct, kw_only=True):
    """Batches over HTTP to durable in the log."""

    events: int
    seconds: float
    event_bytes: float
    events_per_s: float
    events_per_api_cpu_s: float
    cpu_us: CpuUs
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
    cpu_us: CpuUs
    """A request at the peak."""


class Holding(msgspec.Struct, kw_only=True):
    """The aggregator's memory at one moment."""

    at_s: float
    events: int
    """Consumed so far."""
    resident_mb: float
    ids: int
    """Held in memory."""
    ids_mb: float


class Aggregate(msgspec.Struct, kw_only=True):
    """A backlog in the log to committed rollups; figures of the steady part, after the warm-up."""

    events: int
    warm_up_events: int
    """In which users, names and series are given out."""
    warm_up_seconds: float
    seconds: float
    events_per_s: float
    events_per_cpu_s: float
    cpu_us: CpuUs
    wal_bytes: float
    """An event."""
    peak_mb: float
    flushes: int
    duplicates: int
    ids: int
    bytes_an_id: float
    memory: list[Holding]
    cache_mb: int
    """The bound of the ids held."""


class Plain(msgspec.Struct, kw_only=True):
    """A loop over the same topic that promises nothing: counts in dicts, no dedupe, to Postgres at the end."""

    decoder: str
    """`json` or `msgspec`."""
    events: int
    events_per_cpu_s: float


class Whole(msgspec.Struct, kw_only=True):
    """JSON events one a record in a source topic to KPIs in Postgres; figures of the steady part."""

    events: int
    event_bytes: float
    warm_up_events: int
    seconds: float
    events_per_s: float
    events_per_cpu_s: float
    """Of all our processes added up."""
    cpu_us: CpuUs
    wal_bytes: float
    plain: list[Plain]


class Lag(msgspec.Struct, kw_only=True):
    """Events that were acknowledged and not yet in the rollups, at one moment."""

    at_s: float
    events: int


class Held(msgspec.Struct, kw_only=True):
    """A fixed rate, held."""

    asked_events_per_s: float
    events_per_s: float
    """Counted in the rollups."""
    seconds: float
    flat: bool
    """The lag did not grow, as loadtests/sustained.py says it."""
    growth_events_per_s: float
    """Of the lag, by the line that fits best."""
    lag: list[Lag]
    cpu_us: CpuUs
    complaint: str = ""


class Visible(msgspec.Struct, kw_only=True):
    """From before an event is sent until the query API shows it."""

    door: str
    tenants: int
    """Whose load there is beside it."""
    background_events_per_s: float
    samples: int
    p50_ms: float
    p95_ms: float
    worst_ms: float


class Sustained(msgspec.Struct, kw_only=True):
    """Everything at once on this machine: the highest rate whose lag stays flat, and what an event waits meanwhile."""

    door: str
    """`http` or `source`."""
    probes: list[Held]
    held: Held
    visible: list[Visible]


class Read(msgspec.Struct, kw_only=True):
    """One kind of read, again and again."""

    name: str
    aim_ms: float
    median_ms: float
    p95_ms: float
    runs: int
    rows: int
    cpu_ms: dict[str, float]
    """CPU of one read, by process: about its time on a machine that does nothing else."""
    said: str
    """What was asked, of how much."""


class Report(msgspec.Struct, kw_only=True):
    """One run."""

    at: str
    command: list[str]
    log: str
    """`kafka` or `postgres`."""
    machine: Machine
    seconds: float = 0.0
    ingest: Ingest | None = None
    singles: Singles | None = None
    aggregate: Aggregate | None = None
    memory: Aggregate | None = None
    whole: Whole | None = None
    sustained: Sustained | None = None
    reads: list[Read] = msgspec.field(default_factory=list)

    def write(self, name: str) -> Path:
        """Write the report beside the bench, as NAME.json."""
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{name}.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self)) + b"\n")
        return path


def stamp(clock: Clock) -> str:
    """The time of day, to the second, in UTC."""
    return datetime.isoformat(to_datetime(clock.now_us()).astimezone(UTC), timespec="seconds")
