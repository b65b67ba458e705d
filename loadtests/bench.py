"""Figures of this machine: `python -m loadtests.bench [--quick]` (`make bench`); see docs/performance.md.

Everything runs on 127.0.0.1 against a Postgres (with fsync) and a Kafka of its own, is bounded in time and leaves
nothing behind but loadtests/results/latest.json.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests.aggregate import aggregate, memory_over_time
from loadtests.door import door
from loadtests.machine import describe_machine, load
from loadtests.reads import reads
from loadtests.results import RESULTS, Report, stamp
from loadtests.site import Site, open_site
from loadtests.stage import Door
from loadtests.sustained import Search, sustained
from loadtests.table import table
from loadtests.traffic import Population
from loadtests.whole import whole
from loadtests.year import year
from service.clock import SystemClock
from service.eventlog.opening import KAFKA, POSTGRES
from service.telemetry import configure_logging

STAGES = ("door", "aggregate", "memory", "whole", "sustained", "reads", "year")


@dataclass(frozen=True, slots=True)
class Extent:
    """How long the stages run."""

    seconds: float
    """Of each measurement under load."""
    probes: int
    """Of the highest rate."""
    hold_s: float
    """That rate, once it is found."""
    events: int
    """In a backlog."""
    users: int
    """Of all tenants."""
    runs: int
    """Of each kind of read."""


DEFAULT = Population()
FULL = Extent(seconds=10.0, probes=4, hold_s=120.0, events=3_000_000, users=200_000, runs=200)
QUICK = Extent(seconds=2.0, probes=1, hold_s=5.0, events=200_000, users=20_000, runs=20)


@dataclass(frozen=True, slots=True)
class Run:
    """What to measure."""

    stages: Sequence[str]
    extent: Extent
    population: Population
    log: str
    way: Door
    """Of the stage `sustained`."""
    crowd: int
    """Tenants of its last measurement."""
    explained: Path | None
    """Where the plans of the stage `reads` are kept."""
    name: str


async def run(asked: Run) -> Report:
    """Run the stages one after another; what is known by then is written after each."""
    began_s = time.perf_counter()
    async with open_site(log=asked.log, broker=_needs_kafka(asked)) as site:
        kafka = site.broker.version if site.broker else None
        machine = describe_machine(postgres=await site.postgres_version(), kafka=kafka)
        report = Report(at=stamp(SystemClock()), command=sys.argv[1:], log=asked.log, machine=machine)
        for stage in asked.stages:
            print(f"{stage} …", flush=True)
            await _measure(stage, site, report, asked)
            report.seconds = time.perf_counter() - began_s
            report.machine.load_after = load()
            report.write(asked.name)
    return report


def _needs_kafka(asked: Run) -> bool:
    return asked.log == KAFKA or "whole" in asked.stages or ("sustained" in asked.stages and asked.way == "source")


async def _measure(stage: str, site: Site, report: Report, asked: Run) -> None:
    population, extent = asked.population, asked.extent
    match stage:
        case "door":
            report.ingest, report.singles = await door(site, population, extent.seconds)
        case "aggregate":
            report.aggregate = await aggregate(site, population, extent.events)
        case "memory":
            report.memory = await memory_over_time(site, population, extent.events)
        case "whole":
            report.whole = await whole(site, population, extent.events)
        case "sustained":
            search = Search(asked.way, extent.seconds, extent.probes, extent.hold_s, asked.crowd)
            report.sustained = await sustained(site, population, search)
        case "reads":
            report.reads += await reads(site, extent.runs, asked.explained)
        case "year":
            report.reads += await year(site)


def _asked() -> Run:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", nargs="+", choices=STAGES, default=STAGES, help="some of the stages")
    parser.add_argument("--log", choices=(KAFKA, POSTGRES), default=KAFKA, help="what keeps the event log")
    parser.add_argument("--door", choices=("source", "http"), help="of the stage `sustained`; as the log by default")
    parser.add_argument("--quick", action="store_true", help="a few minutes: figures are rough")
    parser.add_argument("--seconds", type=float, help="of each measurement under load")
    parser.add_argument("--hold", type=float, help="seconds for which the highest rate is held")
    parser.add_argument("--events", type=int, help="in a backlog")
    parser.add_argument("--users", type=int, help="of all tenants")
    parser.add_argument("--accounts", type=int, default=DEFAULT.accounts, help="a tenant; 0: events name none")
    parser.add_argument("--crowd", type=int, default=2_000, help="tenants of the last measurement of the stage `sustained`")
    parser.add_argument("--explain", type=Path, help="file for EXPLAIN (ANALYZE, BUFFERS) of the stage `reads`")
    parser.add_argument("--name", default="latest", help="of the JSON file in loadtests/results")
    asked = parser.parse_args()
    extent = QUICK if asked.quick else FULL
    extent = Extent(
        seconds=asked.seconds or extent.seconds,
        probes=extent.probes,
        hold_s=asked.hold or extent.hold_s,
        events=asked.events or extent.events,
        users=asked.users or extent.users,
        runs=extent.runs,
    )
    return Run(
        stages=asked.only,
        extent=extent,
        population=Population(users=extent.users, accounts=asked.accounts),
        log=asked.log,
        way=asked.door or ("source" if asked.log == KAFKA else "http"),
        crowd=asked.crowd,
        explained=asked.explain,
        name=asked.name,
    )


def main() -> None:
    """Measure, print the table, write the JSON."""
    asked = _asked()
    configure_logging("warning", "console")
    report = asyncio.run(run(asked))
    print(table(report))
    print(f"\nwritten to {RESULTS / asked.name}.json")


if __name__ == "__main__":
    main()
