"""An evaluator that is killed in the middle of writing history leaves nothing half done."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg

from tests.e2e import tenants
from tests.e2e.harness import Installation

TENANTS = 2
DAYS = 8
EVENTS = 150
KILLS = 3
LEAST_KILLS = 2
"""So often it must at least have been in the middle of it."""
TIMEOUT_S = 300.0
Ask = Callable[..., list[asyncpg.Record]]
"""A question to the database, with its arguments."""

# Rows of history, and the tenants whose history is not complete.
_STAND = """
select (select count(*) from kpi_history)::int as rows,
    (select count(*) from tenant t left join history_progress h on h.tenant = t.id
        where h.tenant is null or h.closed_until_us = 0 or h.touched_from_us is not null)::int as behind
"""
_HISTORY = """
select tenant, kpi, statistic, "window", dims, start_at, end_at, value, numerator, denominator, target, "limit", status
from kpi_history where end_at <= $1 order by 1, 2, 3, 4, 5, 6
"""


def test_history_written_by_killed_evaluators_is_that_of_one_that_lives(installation: Installation, database_url: str) -> None:
    fill(installation, database_url, random.Random(1))
    with asking(database_url) as ask:
        kills = 0
        before = stand(ask)
        while before["behind"] and kills < KILLS:
            installation.start("evaluate")
            until(partial(is_further, ask, before["rows"]))
            installation.kill("evaluate")
            before = stand(ask)
            kills += bool(before["behind"])
        assert kills >= LEAST_KILLS
        until_complete(installation, ask)
        now = datetime.now(UTC)
        killed = ask(_HISTORY, now)
        ask("delete from kpi_history")
        ask("update history_progress set closed_until_us = 0")
        until_complete(installation, ask)
        assert killed == ask(_HISTORY, now)
        assert len(killed) > TENANTS * DAYS


def is_further(ask: Ask, rows: int) -> bool:
    """Whether something was written since, or all of it."""
    found = stand(ask)
    return found["rows"] > rows or not found["behind"]


def fill(installation: Installation, url: str, chance: random.Random) -> None:
    """Requests of several days, of several tenants."""
    installation.start("api")
    installation.start("aggregate")
    installation.wait_until_ready()
    now = datetime.now(UTC)
    for number in range(TENANTS):
        events = [event(chance, now, place) for place in range(EVENTS)]
        client, _ = tenants.client(url, installation.address, f"t{number}", "ingest", "backfill")
        with client:
            assert client.send(events) == EVENTS
            client.settle(timeout_s=TIMEOUT_S, poll_s=0.1)


def event(chance: random.Random, now: datetime, number: int) -> dict[str, Any]:
    at = now - timedelta(days=chance.uniform(0, DAYS))
    data = {"service": chance.choice(("api", "web")), "status": chance.choice((200, 500)), "latency_ms": chance.randint(1, 900)}
    event = {"specversion": "1.0", "id": f"e{number}", "source": "/history", "time": at.isoformat()}
    return event | {"type": "io.tidegauge.request.v1", "data": data}


def until_complete(installation: Installation, ask: Ask) -> None:
    """Let one evaluator work until nothing is left to be written."""
    installation.start("evaluate")
    until(lambda: not stand(ask)["behind"])
    assert installation.stop("evaluate") == 0


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def stand(ask: Ask) -> asyncpg.Record:
    [row] = ask(_STAND)
    return row


@contextmanager
def asking(url: str) -> Iterator[Ask]:
    """One connection for all questions: the evaluator is looked at often, and a connection is dearer than an answer."""
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(url))
        try:
            yield lambda sql, *arguments: runner.run(connection.fetch(sql, *arguments))
        finally:
            runner.run(connection.close())
