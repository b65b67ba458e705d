"""Stopped for longer than its lease and then going on, a process does no harm; nor do aggregators that come and go."""

import asyncio
import random
from pathlib import Path
from typing import Any

import asyncpg

from service.store.embedded import EmbeddedPostgres
from tests.broker import Broker
from tests.e2e.chaos import Storm, storm

LEASE_S = 3.0
PAUSES = ("aggregate-0", "aggregate-1", "evaluate-0", "aggregate-0", "api-0", "source-0")
# Leases that are alive: those of one process, and those of all.
_HELD = """
select count(*) filter (where w.pid = $1), count(*) filter (where l.resource like 'log/%')
from lease l left join worker w on w.id = l.owner where l.owner is not null and l.expires_at > clock_timestamp()
"""
PARTITIONS = 6


def test_processes_stopped_for_longer_than_their_lease_change_no_figure_when_they_go_on(
    own_postgres: EmbeddedPostgres, own_broker: Broker, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    roles = ["api-0", "api-1", "evaluate-0", "evaluate-1", "source-0", "aggregate-0", "aggregate-1"]
    with storm(own_postgres, own_broker, tmp_path, seed, roles, partitions=str(PARTITIONS), lease_s=str(LEASE_S)) as made:
        for number, victim in enumerate(chance.sample(PAUSES, k=len(PAUSES))):
            made.recover()
            made.targets.pause(chance.uniform(0, 0.6))
            made.targets.stop(victim)
            comes, goes = f"aggregate-{number + 2}", f"aggregate-{number + 1}" if number else ""
            made.targets.join(comes)
            if goes and goes != victim and goes in made.targets.roles:
                made.targets.leave(goes)
            until_taken_over(made, own_postgres.url, victim)
            made.targets.resume(victim)
            made.note(f"{victim} goes on")
        made.recover()
        made.end()


def until_taken_over(made: Storm, url: str, victim: str) -> None:
    """For longer than a lease, and until none is its own and every partition is somebody's."""
    made.targets.pause(LEASE_S + 0.5)
    pid = made.targets.installation.pid(victim)
    made.until(lambda: asyncio.run(_held(url, pid)) == (0, PARTITIONS), f"nobody takes over from {victim}")


async def _held(url: str, pid: int) -> tuple[Any, ...]:
    connection = await asyncpg.connect(url)
    try:
        row = await connection.fetchrow(_HELD, pid)
    finally:
        await connection.close()
    assert row is not None
    return tuple(row)
