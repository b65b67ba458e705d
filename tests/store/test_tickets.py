"""Tickets as they stand follow from the set of their steps, in whatever order and portions these come, and however often."""

import json
import random

import asyncpg

from service.clock import DAY
from tests.catalog.rollups import make_tenant
from tests.catalog.support import Ticket, random_tickets

START = 1_762_000_000_000_000
INSERT = """
insert into step (tenant, family, subject, time_us, source, id, account, fields)
select * from unnest($1::int[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::jsonb[])
on conflict do nothing
"""
Row = tuple[int, str, str, int, str, str, str, str]


def rows_of(tenant: int, tickets: list[Ticket]) -> list[Row]:
    return [
        (tenant, "ticket", t.subject, at, "/s", f"{t.subject}-{n}", f.get("account", ""), json.dumps(f))
        for t in tickets
        for n, (at, f) in enumerate(t.steps)
    ]


async def insert(connection: asyncpg.Connection, rows: list[Row]) -> None:
    await connection.execute(INSERT, *(list(column) for column in zip(*rows, strict=True)))


async def standing(connection: asyncpg.Connection, tenant: int) -> list[tuple[object, ...]]:
    found = await connection.fetch("select * from ticket where tenant = $1 order by subject", tenant)
    return [tuple(row.values())[1:] for row in found]


async def test_any_order_portions_and_repetition_of_steps_give_the_same_tickets(connection: asyncpg.Connection) -> None:
    tickets = random_tickets(11, START, count=80)
    whole = await make_tenant(connection, "whole")
    await insert(connection, rows_of(whole, tickets))
    wanted = await standing(connection, whole)
    assert len(wanted) == len(tickets)
    for seed in range(3):
        dice, tenant = random.Random(seed), await make_tenant(connection, f"t{seed}")
        rows = rows_of(tenant, tickets)
        rows += dice.sample(rows, k=len(rows) // 3)
        dice.shuffle(rows)
        while rows:
            portion = dice.randrange(1, 40)
            await insert(connection, rows[:portion])
            rows = rows[portion:]
        assert await standing(connection, tenant) == wanted, seed


async def test_a_ticket_is_what_its_steps_say(connection: asyncpg.Connection) -> None:
    tenant, tickets = await make_tenant(connection, "pilot"), random_tickets(12, START, count=80)
    await insert(connection, rows_of(tenant, tickets))
    found = {row["subject"]: row for row in await connection.fetch("select * from ticket where tenant = $1", tenant)}
    for ticket in tickets:
        row = found[ticket.subject]
        assert (row["opened_us"], row["resolved_us"], row["last_us"]) == (ticket.opened, ticket.resolved, ticket.steps[-1][0])
        assert (row["first_response_us"], row["mitigated_us"]) == (ticket.first("first_response"), ticket.first("mitigated"))
        assert (row["priority"], row["category"], row["account"]) == (
            ticket.newest("priority"),
            ticket.newest("category"),
            ticket.account,
        )
        assert (row["excluded"], row["first_contact"]) == (ticket.excluded, ticket.newest("first_contact"))
        assert tuple(zip(row["gap_from_us"], row["gap_to_us"], strict=True)) == ticket.gaps
        assert row["idle_us"] == sum(to - since for since, to in ticket.gaps)


async def test_steps_of_other_families_and_tenants_leave_tickets_alone(connection: asyncpg.Connection) -> None:
    tenant, other = await make_tenant(connection, "pilot"), await make_tenant(connection, "other")
    [ticket] = random_tickets(13, START, count=1)
    await insert(connection, rows_of(tenant, [ticket]))
    before = await standing(connection, tenant)
    [(_, _, subject, *_)] = rows_of(tenant, [ticket])[:1]
    body = json.dumps({"action": "resolved"})
    await insert(connection, [(tenant, "incident", subject, START + 99 * DAY, "/s", "x", "", body)])
    await insert(connection, [(other, "ticket", subject, START + 99 * DAY, "/s", "x", "", body)])
    assert await standing(connection, tenant) == before
    assert len(await standing(connection, other)) == 1
