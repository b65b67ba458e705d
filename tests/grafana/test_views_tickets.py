"""The view of tickets says of open ones what `/v1/tickets` says: when they are due, and how far they are to be escalated."""

import json
import random
from collections.abc import AsyncIterator

import asyncpg
import pytest

from service.clock import HOUR, MINUTE, SystemClock
from service.evaluate.dashboards import Dashboards
from service.store.engine import create_pool
from tests.catalog.support import Ticket, store_tickets, store_values
from tests.http.clocks import HandClock

FRIDAY_US = 1_763_744_400_000_000
"""2025-11-21 17:00 UTC."""


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    made = await create_pool(database_url)
    yield made
    await made.close()


@pytest.fixture
async def tenant(connection: asyncpg.Connection) -> int:
    number: int = await connection.fetchval("insert into tenant (name, timezone) values ('pilot', 'UTC') returning id")
    await connection.execute("insert into tenant_dirty (tenant) values ($1)", number)
    await store_values(connection, number, "tier", {"acme": [(1, "enterprise")]})
    return number


def opened(subject: str, *later: tuple[int, str], priority: str = "P2") -> Ticket:
    steps = [(FRIDAY_US, {"action": "opened", "priority": priority, "account": "acme"})]
    return Ticket(subject, steps + [(at, {"action": action}) for at, action in later])


def clock_at(us: int) -> HandClock:
    clock = HandClock()
    clock.us = us
    return clock


async def shown(connection: asyncpg.Connection) -> dict[str, tuple[object, ...]]:
    rows = await connection.fetch(
        "select ticket, extract(epoch from response_due_at)::bigint * 1000000 as response,"
        " extract(epoch from resolution_due_at)::bigint * 1000000 as resolution, escalation from grafana.ticket"
    )
    return {ticket: (response, resolution, escalation) for ticket, response, resolution, escalation in rows}


async def test_limits_count_business_hours_and_stop_when_they_are_met(
    pool: asyncpg.Pool, connection: asyncpg.Connection, tenant: int
) -> None:
    answered = opened("answered", (FRIDAY_US + HOUR, "first_response"))
    done = opened("done", (FRIDAY_US + HOUR, "resolved"))
    aside = opened("aside", (FRIDAY_US + MINUTE, "excluded"))
    await store_tickets(connection, tenant, [opened("waiting"), answered, done, aside], random.Random(1))
    clock = clock_at(FRIDAY_US + HOUR)
    await Dashboards(pool, clock).keep_tickets()
    # Opened on Friday at 17:00, four business hours to answer: Monday at 12:00; two days by the clock to resolve.
    monday_noon_us, resolution_us = FRIDAY_US + 67 * HOUR, FRIDAY_US + 48 * HOUR
    assert await shown(connection) == {
        "waiting": (monday_noon_us, resolution_us, 0),
        "answered": (None, resolution_us, 0),
        "done": (None, None, None),
        "aside": (None, None, None),
    }


async def test_the_level_rises_with_time_and_a_resolved_ticket_has_nothing_left(
    pool: asyncpg.Pool, connection: asyncpg.Connection, tenant: int
) -> None:
    await store_tickets(connection, tenant, [opened("urgent", priority="P0"), opened("other")], random.Random(1))
    clock = clock_at(FRIDAY_US + MINUTE)
    tasks = Dashboards(pool, clock)
    await tasks.keep_tickets()
    before = await connection.fetch("select xmin::text, * from ticket_due order by subject")
    await tasks.keep_tickets()
    assert await connection.fetch("select xmin::text, * from ticket_due order by subject") == before, "nothing is written anew"
    assert (await shown(connection))["urgent"][2] == 2
    clock.us = FRIDAY_US + 5 * HOUR
    await tasks.keep_tickets()
    assert (await shown(connection))["urgent"][2] == 4, "twice its limit of half an hour, and more"
    await store_tickets(
        connection, tenant, [Ticket("urgent", [(FRIDAY_US + 6 * HOUR, {"action": "resolved"})])], random.Random(2)
    )
    assert (await shown(connection))["urgent"] == (None, None, None), "at once, whatever was kept"
    await tasks.keep_tickets()
    assert await connection.fetchval("select array_agg(subject) from ticket_due") == ["other"]


async def test_a_ticket_without_promises_has_nothing_due(pool: asyncpg.Pool, connection: asyncpg.Connection, tenant: int) -> None:
    steps = [(FRIDAY_US, {"action": "opened", "priority": "P2"})]
    await store_tickets(connection, tenant, [Ticket("nobodys", steps)], random.Random(1))
    await Dashboards(pool, SystemClock()).keep_tickets()
    [row] = await connection.fetch("select due_at, left_s from grafana.ticket")
    assert (row["due_at"], row["left_s"]) == (None, None)
    assert json.loads(await connection.fetchval("select to_jsonb(d) - 'tenant' from ticket_due d"))["subject"] == "nobodys"


async def test_upkeep_ends_no_session_that_behaves(pool: asyncpg.Pool) -> None:
    await Dashboards(pool, SystemClock()).put_out_readers()
    assert await pool.fetchval("select 1") == 1
