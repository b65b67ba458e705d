"""Figures of this machine: `python -m loadtests.bench [--quick]` (`make bench`); see docs/performance.md.

Everything runs on 127.0.0.1 against a Postgres of its own with fsync, is bounded in time and leaves nothing behind
but loadtests/results/latest.json.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from loadtests.aggregate import aggregate
from loadtests.ingest import door
from loadtests.results import RESULTS, Report, begin
from loadtests.site import Site, open_site
from loadtests.table import table
from loadtests.together import together
from loadtests.traffic import Population
from service.clock import SystemClock

STAGES = ("door", "aggregate", "together")


@dataclass(frozen=True, slots=True)
class Extent:
    """How long the stages run."""

    seconds: float
    """Of each measurement over HTTP."""
    events: int
    """In the aggregator's backlog."""
    users: int
    """Of all tenants."""


DEFAULT = Population()
FULL = Extent(seconds=10.0, events=1_500_000, users=200_000)
QUICK = Extent(seconds=2.0, events=200_000, users=20_000)


async def run(stages: Sequence[str], extent: Extent, population: Population, name: str) -> Report:
    """Run the stages one after another; what is known by then is written after each."""
    began_s = time.perf_counter()
    async with open_site() as site:
        report = await begin(SystemClock(), site.address)
        for stage in stages:
            print(f"{stage} …", flush=True)
            await _measure(stage, site, report, extent, population)
            report.seconds = time.perf_counter() - began_s
            report.write(name)
    return report


async def _measure(stage: str, site: Site, report: Report, extent: Extent, population: Population) -> None:
    match stage:
        case "door":
            report.ingest, report.singles = await door(site, population, extent.seconds)
        case "aggregate":
            report.aggregate = await aggregate(site, population, extent.events)
        case "together":
            found = await together(site, population, extent.seconds)
            report.together, report.visible_modest, report.visible_half = found.together, found.modest, found.half


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", nargs="+", choices=STAGES, default=STAGES, help="some of the stages")
    parser.add_argument("--quick", action="store_true", help="under a minute: figures are rough")
    parser.add_argument("--seconds", type=float, help="of each measurement over HTTP")
    parser.add_argument("--events", type=int, help="in the aggregator's backlog")
    parser.add_argument("--users", type=int, help="of all tenants")
    parser.add_argument("--accounts", type=int, default=DEFAULT.accounts, help="a tenant; 0: events name none")
    parser.add_argument("--name", default="latest", help="of the JSON file in loadtests/results")
    asked = parser.parse_args()
    extent = QUICK if asked.quick else FULL
    extent = Extent(asked.seconds or extent.seconds, asked.events or extent.events, asked.users or extent.users)
    population = Population(users=extent.users, accounts=asked.accounts)
    report = asyncio.run(run(asked.only, extent, population, asked.name))
    print(table(report))
    print(f"\nwritten to {RESULTS / asked.name}.json")


if __name__ == "__main__":
    main()
