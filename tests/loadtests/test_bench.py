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


def test_a_bench_of_tiny_counts_fills_its_whole_report() -> None:
    name = "smoke-test"
    written = RESULTS / f"{name}.json"
    command = [sys.executable, "-m", "loadtests.bench", "--quick", "--name", name]
    try:
        run = subprocess.run(
            [*command, "--seconds", "0.5", "--events", "10000", "--users", "1000"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        report = msgspec.json.decode(written.read_bytes(), type=Report, strict=True)
    finally:
        written.unlink(missing_ok=True)
    assert report.ingest is not None
    assert report.ingest.events_per_api_cpu_s > 0
    assert report.singles is not None
    assert report.singles.requests_per_s > report.singles.half_requests_per_s > 0
    assert report.aggregate is not None
    assert report.aggregate.ids == report.aggregate.events - report.aggregate.duplicates
    assert report.together is not None
    assert report.together.events_per_s > 0
    for visible in (report.visible_modest, report.visible_half):
        assert visible is not None
        assert 0 < visible.p50_ms <= visible.p95_ms <= visible.worst_ms
    assert "events per second of aggregator CPU" in run.stdout


def test_the_same_seed_makes_the_same_valid_events() -> None:
    decoder = Decoder(IdHasher(bytes(32)), Limits(10_000, 256_000, 32, 7 * 86_400_000_000, 300_000_000))
    bodies = [Traffic(Population(), tenant).body(1_000, NOW_US) for tenant in (0, 0, 1)]
    assert bodies[0] == bodies[1] != bodies[2]
    batch = decoder.decode(bodies[0], Form.ARRAY, Stamp(1, NOW_US, backfill=False))
    assert not batch.rejected
    assert batch.rows.keys() == FAMILIES.keys()
    assert 200 < len(bodies[0]) / 1_000 < 300
