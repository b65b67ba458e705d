"""A report as a table for people."""

from collections.abc import Iterator

from loadtests.results import Aggregate, CpuUs, Held, Report

Row = tuple[str, str]


def table(report: Report) -> str:
    """All figures of a report, one a line, with the machine below."""
    rows = [*_door(report), *_aggregator(report), *_whole(report), *_sustained(report), *_reads(report)]
    width = max((len(name) for name, figure in rows if figure), default=0)
    machine = report.machine
    kafka = f", Kafka {machine.kafka}" if machine.kafka else ""
    return "\n".join(
        [
            "",
            *(f"{name:<{width}}  {figure}" if figure else f"\n{name}" for name, figure in rows),
            "",
            f"{machine.cores} cores, {machine.cpu}, {machine.memory_gb:g} GB, Linux {machine.kernel}, Python {machine.python}, "
            f"PostgreSQL {machine.postgres} with fsync{kafka}, event log in {report.log}; "
            f"load before {machine.load_before:g}, after {machine.load_after:g}; took {report.seconds:.0f} s",
        ]
    )


def _door(report: Report) -> Iterator[Row]:
    if (batch := report.ingest) is not None:
        yield f"Ingest: batches of 500 usage events, HTTP to durable in the log ({report.log})", ""
        yield "events per second of API CPU", f"{batch.events_per_api_cpu_s:,.0f}"
        yield "events a second", f"{batch.events_per_s:,.0f} ({batch.event_bytes:.0f} bytes each)"
        yield "CPU an event", _cpu(batch.cpu_us)
        yield "WAL an event", f"{batch.wal_bytes:.0f} bytes"
        yield "answer, p50 / p99", f"{batch.p50_ms:.1f} / {batch.p99_ms:.1f} ms"
    if (one := report.singles) is not None:
        yield "Ingest: single events", ""
        yield "requests a second", f"{one.requests_per_s:,.0f}, p50 / p99 {one.peak_p50_ms:.1f} / {one.peak_p99_ms:.1f} ms"
        yield (
            "at half of that rate",
            f"{one.half_requests_per_s:,.0f}, p50 / p99 {one.half_p50_ms:.1f} / {one.half_p99_ms:.1f} ms",
        )
        yield "CPU a request", _cpu(one.cpu_us, digits=0)


def _aggregator(report: Report) -> Iterator[Row]:
    if (found := report.aggregate) is not None:
        yield "Aggregate: from the log to committed rollups, usage, request and delivery 7:2:1", ""
        yield "events per second of aggregator CPU", f"{found.events_per_cpu_s:,.0f}"
        yield "events a second", f"{found.events_per_s:,.0f}"
        yield "CPU an event", _cpu(found.cpu_us)
        yield "WAL an event", f"{found.wal_bytes:.0f} bytes"
        yield "memory of an id", f"{found.bytes_an_id:.1f} bytes; the process at most {found.peak_mb:.0f} MB"
        yield (
            "warm-up before that",
            f"{found.warm_up_events:,} events in {found.warm_up_seconds:.1f} s (users, names and series are given out)",
        )
    if (found := report.memory) is not None:
        yield f"Memory: events of a day, room for {found.cache_mb} MB of ids", ""
        yield from _memory(found)


def _memory(found: Aggregate) -> Iterator[Row]:
    for share in (1, 2, 3, 4):
        holding = found.memory[len(found.memory) * share // 4 - 1]
        yield (
            f"after {holding.events:,} events",
            f"{holding.resident_mb:.0f} MB, of which {holding.ids_mb:.1f} MB for {holding.ids:,} ids",
        )


def _whole(report: Report) -> Iterator[Row]:
    if (whole := report.whole) is not None:
        yield "The whole way: JSON events one a record in a source topic to KPIs in Postgres", ""
        yield "events per second of CPU of all our processes", f"{whole.events_per_cpu_s:,.0f}"
        yield "events a second", f"{whole.events_per_s:,.0f} ({whole.event_bytes:.0f} bytes each)"
        yield "CPU an event", _cpu(whole.cpu_us)
        yield "WAL an event", f"{whole.wal_bytes:.0f} bytes"
        for plain in whole.plain:
            ratio = plain.events_per_cpu_s / whole.events_per_cpu_s
            yield (
                f"a plain loop over that topic, {plain.decoder}",
                f"{plain.events_per_cpu_s:,.0f} ({ratio:.2f} times ours), no promise",
            )


def _sustained(report: Report) -> Iterator[Row]:
    if (found := report.sustained) is not None:
        yield f"Together: client, all roles and servers, events through {found.door}", ""
        for probe in found.probes:
            yield f"probe of {probe.seconds:.0f} s", _held(probe)
        yield f"held for {found.held.seconds:.0f} s", _held(found.held)
        yield "CPU an event", _cpu(found.held.cpu_us)
        for each in found.visible:
            yield (
                f"event to query API, {each.tenants:,} tenants",
                f"p50 / p95 {each.p50_ms:.0f} / {each.p95_ms:.0f} ms, at worst {each.worst_ms:.0f} ms "
                f"(beside {each.background_events_per_s:,.0f} events a second through {each.door}, {each.samples} samples)",
            )


def _held(held: Held) -> str:
    lag = [each.events for each in held.lag] or [0]
    said = "flat" if held.flat else "not flat"
    return (
        f"{held.events_per_s:,.0f} events a second at {held.asked_events_per_s:,.0f} asked for: lag {said}, "
        f"{min(lag):,} to {max(lag):,}, {held.growth_events_per_s:+,.0f} a second{'; ' if held.complaint else ''}{held.complaint}"
    )


def _reads(report: Report) -> Iterator[Row]:
    if report.reads:
        yield "Reads", ""
    for read in report.reads:
        used = ", ".join(f"{name} {ms:.1f}" for name, ms in read.cpu_ms.items())
        yield read.name, f"{read.median_ms:.1f} ms, p95 {read.p95_ms:.1f} (aim {read.aim_ms:g}); CPU: {used} ms; {read.said}"


def _cpu(used: CpuUs, digits: int = 2) -> str:
    return ", ".join(f"{name} {us:.{digits}f}" for name, us in used.items()) + " µs"
