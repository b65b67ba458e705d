"""A report as a table for people."""

from collections.abc import Iterator

from loadtests.results import Report

Row = tuple[str, str]


def table(report: Report) -> str:
    """All figures of a report, one a line, with the machine below."""
    rows = [*_door(report), *_aggregator(report), *_whole(report)]
    width = max((len(name) for name, _ in rows), default=0)
    machine = report.machine
    return "\n".join(
        [
            "",
            *(f"{name:<{width}}  {figure}" if figure else f"\n{name}" for name, figure in rows),
            "",
            f"{machine.cores} cores, {machine.cpu}, {machine.memory_gb:g} GB, Linux {machine.kernel}, "
            f"Python {machine.python}, PostgreSQL {machine.postgres} with fsync; load before: {machine.load_before:g}; "
            f"took {report.seconds:.0f} s",
        ]
    )


def _door(report: Report) -> Iterator[Row]:
    if (batch := report.ingest) is not None:
        yield "Ingest: batches of 500 usage events, HTTP to durable in the Postgres log", ""
        yield "events per second of API CPU", f"{batch.events_per_api_cpu_s:,.0f}"
        yield "events a second", f"{batch.events_per_s:,.0f} ({batch.event_bytes:.0f} bytes each)"
        yield "CPU an event", f"API {batch.api_us:.2f} µs, Postgres {batch.postgres_us:.2f} µs, client {batch.client_us:.2f} µs"
        yield "WAL an event", f"{batch.wal_bytes:.0f} bytes"
        yield "answer, p50 / p99", f"{batch.p50_ms:.1f} / {batch.p99_ms:.1f} ms"
    if (one := report.singles) is not None:
        yield "Ingest: single events", ""
        yield "requests a second", f"{one.requests_per_s:,.0f}, p50 / p99 {one.peak_p50_ms:.1f} / {one.peak_p99_ms:.1f} ms"
        yield (
            "at half of that rate",
            f"{one.half_requests_per_s:,.0f}, p50 / p99 {one.half_p50_ms:.1f} / {one.half_p99_ms:.1f} ms",
        )
        yield "CPU a request", f"API {one.api_us:.0f} µs, Postgres {one.postgres_us:.0f} µs"


def _aggregator(report: Report) -> Iterator[Row]:
    if (found := report.aggregate) is not None:
        yield "Aggregate: from the log to committed rollups, usage, request and delivery 7:2:1", ""
        yield "events per second of aggregator CPU", f"{found.events_per_cpu_s:,.0f}"
        yield "events a second", f"{found.events_per_s:,.0f}"
        yield "CPU an event", f"aggregator {found.aggregator_us:.2f} µs, Postgres {found.postgres_us:.2f} µs"
        yield "WAL an event", f"{found.wal_bytes:.0f} bytes"
        yield "memory", f"{found.resident_mb:.0f} MB, at most {found.peak_mb:.0f} MB; {found.bytes_an_id:.1f} bytes an id"
        yield (
            "warm-up before that",
            f"{found.warm_up_events:,} events in {found.warm_up_seconds:.1f} s (users, names and series are given out)",
        )


def _whole(report: Report) -> Iterator[Row]:
    if (whole := report.together) is not None:
        yield "Together: client, API, aggregator, evaluator and Postgres", ""
        yield "events a second, backlog bounded", f"{whole.events_per_s:,.0f}"
        yield (
            "CPU an event",
            f"API {whole.api_us:.2f}, aggregator {whole.aggregator_us:.2f}, evaluator {whole.evaluator_us:.2f}, "
            f"Postgres {whole.postgres_us:.2f}, client {whole.client_us:.2f} µs",
        )
    for title, visible in (("at a modest rate", report.visible_modest), ("at half of that rate", report.visible_half)):
        if visible is not None:
            yield (
                f"event to query API {title}",
                f"p50 / p95 {visible.p50_ms:.0f} / {visible.p95_ms:.0f} ms, at worst {visible.worst_ms:.0f} ms "
                f"({visible.background_events_per_s:,.0f} events a second, {visible.samples} samples)",
            )
