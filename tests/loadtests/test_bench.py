"""`make bench` runs through, and writes what its table shows."""

import subprocess
import sys
from pathlib import Path

import msgspec

from loadtests.results import RESULTS, Report
from loadtests.traffic import FAMILIES, Population, Traffic
from service.domain.identity import IdHasher
from service.ingest.batch import Form, Limits, Stamp
from service.ingest.decode import Decoder

ROOT = Path(__file__).parents[2]
NOW_US = 1_763_371_800_000_000
TINY = ["--quick", "--seconds", "0.5", "--hold", "1", "--events", "10000", "--users", "1000", "--crowd", "3"]


def bench(name: str, *words: str) -> tuple[Report, str]:
    """A run of tiny counts, and what it printed."""
    written = RESULTS / f"{name}.json"
    try:
        run = subprocess.run(
            [sys.executable, "-m", "loadtests.bench", "--name", name, *TINY, *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        return msgspec.json.decode(written.read_bytes(), type=Report, strict=True), run.stdout
    finally:
        written.unlink(missing_ok=True)


def test_a_bench_of_tiny_counts_fills_the_report_of_the_log_in_postgres() -> None:
    report, printed = bench("smoke-postgres", "--log", "postgres", "--only", "door", "aggregate")
    assert report.ingest is not None
    assert report.ingest.events_per_api_cpu_s > 0
    assert report.singles is not None
    assert report.singles.requests_per_s > report.singles.half_requests_per_s > 0
    assert report.aggregate is not None
    assert report.aggregate.ids == report.aggregate.events - report.aggregate.duplicates
    assert report.aggregate.memory[-1].events == report.aggregate.events
    assert "events per second of aggregator CPU" in printed


def test_a_bench_of_tiny_counts_goes_the_whole_way_from_a_topic() -> None:
    report, printed = bench("smoke-whole", "--log", "kafka", "--only", "whole")
    assert report.whole is not None
    assert {"source", "aggregate", "evaluate", "kafka", "postgres"} == report.whole.cpu_us.keys()
    assert {plain.events for plain in report.whole.plain} == {report.whole.events + report.whole.warm_up_events}
    assert "events per second of CPU of all our processes" in printed


def test_a_bench_of_tiny_counts_finds_a_rate_and_how_long_events_take() -> None:
    report, printed = bench("smoke-sustained", "--log", "kafka", "--only", "sustained")
    assert report.sustained is not None
    assert report.sustained.held.asked_events_per_s > 0
    assert report.sustained.held.lag
    assert {"api", "source", "aggregate", "evaluate", "kafka", "postgres", "client"} <= report.sustained.held.cpu_us.keys()
    assert [each.tenants for each in report.sustained.visible] == [1, 1, 3]
    for visible in report.sustained.visible:
        assert 0 < visible.p50_ms <= visible.p95_ms <= visible.worst_ms
    assert "event to query API" in printed


def test_the_same_seed_makes_the_same_valid_events() -> None:
    decoder = Decoder(IdHasher(bytes(32)), Limits(10_000, 256_000, 32, 7 * 86_400_000_000, 300_000_000))
    bodies = [Traffic(Population(), tenant).body(1_000, NOW_US) for tenant in (0, 0, 1)]
    assert bodies[0] == bodies[1] != bodies[2]
    batch = decoder.decode(bodies[0], Form.ARRAY, Stamp(1, NOW_US, backfill=False))
    assert not batch.rejected
    assert batch.accepted == sum(packed.events for packed in batch.packed) == 1_000
    assert {family for packed in batch.packed for slabs in packed.split(3).values() for family in slabs} == FAMILIES.keys()
    assert 200 < len(bodies[0]) / 1_000 < 300
