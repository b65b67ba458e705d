"""The year in a directory that stays, to be read again and again: `python -m loadtests.year_kept DIRECTORY [--runs N]`.

The first time makes it: 20 million rows, 17 GB. Its days are those before it was made, so one of an earlier day is of no use.
"""

import argparse
import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from loadtests.processes import tree_cpu_s
from loadtests.results import Read
from loadtests.year import RUNS, ZONE, make, read_year
from service.settings import Settings
from service.store.embedded import EmbeddedPostgres
from service.store.installation import ensure_installation
from service.store.migrate import migrate
from service.store.tenants import create_tenant

TENANT = "select id from tenant order by id desc limit 1"


async def run(directory: Path, runs: int) -> list[Read]:
    """Start the directory's Postgres, bring its schema up to date, fill it if it is new, and read it."""
    server = EmbeddedPostgres(directory)
    await server.start()
    try:
        await migrate(server.url, Settings())
        tenant = await _tenant(server.url)
        return await read_year(server.url, tenant, lambda: tree_cpu_s(server.pid or 0), runs)
    finally:
        await server.stop()


async def _tenant(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        known: int | None = await connection.fetchval(TENANT)
        if known is not None:
            return known
        await ensure_installation(connection, Settings(), log_kind="postgres")
        made = await create_tenant(connection, "large", ZONE)
    finally:
        await connection.close()
    await make(url, made.id)
    return made.id


def _lines(reads: list[Read]) -> Iterator[str]:
    for read in reads:
        used = ", ".join(f"{name} {ms:.0f}" for name, ms in read.cpu_ms.items())
        took = f"{read.median_ms:.0f} ms, at worst {read.p95_ms:.0f} (aim {read.aim_ms:g})"
        yield f"{read.name}: {took}; CPU: {used} ms; {read.said}"


def main() -> None:
    """Read the year and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--runs", type=int, default=RUNS, help="of which the median is shown")
    asked = parser.parse_args()
    print("\n".join(_lines(asyncio.run(run(asked.directory, asked.runs)))))


if __name__ == "__main__":
    main()
