"""Tickets are counted and timed as their steps say, against plain lists of the same steps."""

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Declared, Question, Window, resolve_window, run
from service.clock import DAY, HOUR, MINUTE, SECOND, to_us
from tests.catalog.people import Told, store_milestones
from tests.catalog.rollups import make_tenant
from tests.catalog.support import ACCOUNTS, TIERS, Dated, Step, Ticket, random_tickets, store_tickets, store_values

MONDAY = to_us(datetime(2025, 11, 3, tzinfo=UTC))
NOW = MONDAY + 200 * DAY
Asked = tuple[tuple[str, ...], dict[str, tuple[str, ...]]]
QUESTIONS: list[Asked] = [
    ((), {}),
    (("priority",), {}),
    (("category", "priority"), {}),
    (("account",), {}),
    (("tier",), {}),
    (("account", "tier"), {"tier": ("enterprise", "")}),
    ((), {"account": ("acme", "beta")}),
    (("category",), {"priority": ("P0", "P1"), "account": ("acme",)}),
    ((), {"tier": ("starter",)}),
]
Figures = dict[tuple[tuple[str, ...], str], Any]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def window(tenant: int, name: str = "week", end: int = MONDAY + 14 * DAY, now: int = NOW) -> Window:
    return resolve_window(tenant, "UTC", now_us=now, name=name, end_us=end)


async def ask(
    catalog: Catalog, connection: asyncpg.Connection, kpi: str, asked: Asked, statistics: tuple[str, ...], of: Window
) -> Figures:
    question = Question(by=asked[0], filters=asked[1], statistics=statistics)
    found = await run(connection, catalog.kpis[kpi], [of], question, declared={of.tenant: Declared()})
    return {(tuple(value.dims[name] for name in asked[0]), value.statistic): value.value for value in found}


async def filled(connection: asyncpg.Connection) -> tuple[int, list[Ticket], Dated]:
    tenant, other = await make_tenant(connection, "pilot"), await make_tenant(connection, "other")
    dice = random.Random(7)
    tickets = random_tickets(3, MONDAY, count=120)
    await store_tickets(connection, tenant, tickets, dice)
    await store_tickets(connection, other, random_tickets(4, MONDAY, count=30), dice)
    tiers = {
        account: [(MONDAY + dice.randrange(-DAY, 40 * DAY), dice.choice(TIERS)) for _ in range(3)] for account in ACCOUNTS[:3]
    }
    await store_values(connection, tenant, "tier", tiers)
    return tenant, tickets, tiers


def inside(at: int | None, of: Window) -> bool:
    return at is not None and of.start_us <= at < of.end_us


async def test_tickets_are_counted_where_they_were_opened_escalated_and_last_resolved(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    tenant, tickets, tiers = await filled(connection)
    of = window(tenant)
    for by, filters in QUESTIONS:
        wanted: Figures = defaultdict(int, {} if by else {((), ""): 0, ((), "resolved"): 0, ((), "escalated"): 0})
        for ticket in tickets:
            moments = {"": ticket.opened, "resolved": ticket.resolved, "escalated": ticket.first("escalated")}
            for dims in ticket.dims(by, filters, tiers) if any(inside(at, of) for at in moments.values()) else ():
                for name, at in moments.items():
                    wanted[dims, name] += inside(at, of)
        assert await ask(catalog, connection, "tickets", (by, filters), ("", "resolved", "escalated"), of) == wanted, (
            by,
            filters,
        )


async def test_tickets_a_day_and_a_month_are_those_of_the_time_that_has_passed(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    tenant, tickets, _ = await filled(connection)
    of = window(tenant, now=MONDAY + 9 * DAY)
    opened = sum(inside(ticket.opened, of) for ticket in tickets)
    resolved = sum(inside(ticket.resolved, of) for ticket in tickets)
    names = ("per_day", "per_month", "resolved_per_day", "resolved_per_month")
    found = await ask(catalog, connection, "tickets", ((), {}), names, of)
    assert resolved > 0
    assert found[(), "resolved_per_day"] == pytest.approx(resolved / 2)
    assert found[(), "resolved_per_month"] == pytest.approx(resolved / 2 * 30.4375)
    assert found[(), "per_day"] == pytest.approx(opened / 2)
    assert found[(), "per_month"] == pytest.approx(opened / 2 * 30.4375)


def opened_to(action: str) -> Callable[[Ticket], tuple[int | None, int]]:
    return lambda ticket: (ticket.first(action), ticket.opened)


DURATIONS: dict[str, Callable[[Ticket], tuple[int | None, int]]] = {
    "first_response_time": opened_to("first_response"),
    "time_to_escalate": opened_to("escalated"),
    "resolution_time": lambda ticket: (ticket.resolved, ticket.opened + sum(end - start for start, end in ticket.gaps)),
}


async def test_times_belong_to_the_window_of_their_later_end(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant, tickets, tiers = await filled(connection)
    of = window(tenant)
    for kpi, ends in DURATIONS.items():
        for by, filters in QUESTIONS:
            took: dict[tuple[str, ...], list[int]] = defaultdict(list)
            for ticket in tickets:
                end, start = ends(ticket)
                if end is not None and inside(end, of) and end >= start:
                    for dims in ticket.dims(by, filters, tiers):
                        took[dims].append(end - start)
            wanted: Figures = {(dims, "mean"): pytest.approx(sum(all_) / len(all_) / SECOND) for dims, all_ in took.items()}
            found = await ask(catalog, connection, kpi, (by, filters), ("mean",), of)
            assert found == (wanted or ({} if by else {((), "mean"): None})), (kpi, by, filters)


async def test_shares_are_of_what_was_resolved_and_of_what_was_opened(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant, tickets, tiers = await filled(connection)
    of = window(tenant)
    for by, filters in QUESTIONS:
        first: dict[Any, list[bool]] = defaultdict(list)
        escalated: dict[Any, list[bool]] = defaultdict(list)
        for ticket in tickets:
            for dims in ticket.dims(by, filters, tiers):
                if inside(ticket.resolved, of):
                    first[dims, ""].append(ticket.newest("first_contact") is True)
                if inside(ticket.opened, of):
                    escalated[dims, ""].append(ticket.first("escalated") is not None)
        for kpi, told in (("first_contact_resolution", first), ("ticket_escalation", escalated)):
            wanted: Figures = {key: sum(all_) / len(all_) for key, all_ in told.items()}
            wanted = wanted or ({} if by else {((), ""): None})
            assert await ask(catalog, connection, kpi, (by, filters), ("",), of) == wanted, (kpi, by, filters)


@pytest.mark.parametrize("days", [3, 14, 40])
async def test_open_tickets_are_those_of_the_windows_end_with_their_ages(
    catalog: Catalog, connection: asyncpg.Connection, days: int
) -> None:
    tenant, tickets, tiers = await filled(connection)
    of = window(tenant, "1h", MONDAY + days * DAY + 17 * MINUTE)
    names = ("", "mean_age", "oldest", "over_1d", "over_7d", "over_30d")
    for by, filters in QUESTIONS:
        ages: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for ticket in tickets:
            for dims in ticket.dims(by, filters, tiers) if ticket.is_open(of.end_us) else ():
                ages[dims].append(ticket.age(of.end_us))
        wanted: Figures = {} if by else {((), name): None if name in ("mean_age", "oldest") else 0 for name in names}
        for dims, all_ in ages.items():
            wanted |= {
                (dims, ""): len(all_),
                (dims, "mean_age"): pytest.approx(sum(all_) / len(all_) / SECOND),
                (dims, "oldest"): pytest.approx(max(all_) / SECOND),
                **{(dims, f"over_{many}d"): sum(age > many * DAY for age in all_) for many in (1, 7, 30)},
            }
        assert await ask(catalog, connection, "open_tickets", (by, filters), names, of) == wanted, (by, filters)


@pytest.mark.parametrize("are_known", [True, False], ids=["told-seldom", "told-often"])
async def test_a_ticket_has_the_tier_of_its_opening_however_long_ago(
    catalog: Catalog, connection: asyncpg.Connection, *, are_known: bool
) -> None:
    tenant = await make_tenant(connection, "pilot")
    tiers = {
        account: [(MONDAY - 90 * DAY, "starter"), (MONDAY - 40 * DAY, "mid_market"), (MONDAY + DAY, "enterprise")]
        for account in ACCOUNTS
    }
    await store_values(connection, tenant, "tier", tiers)
    if are_known:
        known = [Told(account, MONDAY - 90 * DAY, "~known", account) for account in ACCOUNTS]
        await store_milestones(connection, tenant, known, kind="account")
    opened = [MONDAY + days * DAY + HOUR for days in (-95, -60, -35, -20, 0, 1, 2)]
    tickets = [
        Ticket(f"{account}-{at}", [(at, {"action": "opened", "account": account}), (MONDAY + 3 * DAY, {"action": "resolved"})])
        for account in ACCOUNTS
        for at in opened
    ]
    await store_tickets(connection, tenant, tickets, random.Random(1))
    of = window(tenant, end=MONDAY + 7 * DAY)
    found = await ask(catalog, connection, "tickets", (("tier",), {}), ("", "resolved"), of)
    by_tier = {
        (tier, name): count * len(ACCOUNTS)
        for tier, counts in {"": (0, 1), "starter": (0, 1), "mid_market": (1, 3), "enterprise": (2, 2)}.items()
        for name, count in zip(("", "resolved"), counts, strict=True)
    }
    assert {((tier,), name): count for (tier, name), count in by_tier.items()} == found


async def test_a_handful_of_tickets_by_hand(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    steps: list[Step] = [
        (MONDAY, {"action": "opened", "priority": "P2", "category": "billing", "account": "acme"}),
        (MONDAY + 30 * MINUTE, {"action": "first_response"}),
        (MONDAY + 2 * HOUR, {"action": "resolved", "first_contact": True}),
        (MONDAY + 5 * HOUR, {"action": "reopened"}),
        (MONDAY + 6 * HOUR, {"action": "resolved"}),
    ]
    tickets = [
        Ticket("T-1", steps),
        Ticket("T-2", [(MONDAY + HOUR, {"action": "opened", "priority": "P0"}), (MONDAY + 3 * HOUR, {"action": "escalated"})]),
        Ticket("T-3", [(MONDAY + 2 * HOUR, {"action": "updated"})]),
    ]
    await store_tickets(connection, tenant, tickets, random.Random(1))
    of = window(tenant, end=MONDAY + 7 * DAY)
    plain: Asked = ((), {})

    async def one(kpi: str, statistic: str = "") -> float | None:
        found: float | None = (await ask(catalog, connection, kpi, plain, (statistic,), of))[(), statistic]
        return found

    assert (await one("tickets"), await one("tickets", "resolved"), await one("tickets", "escalated")) == (3, 1, 1)
    assert await one("first_response_time", "mean") == 1_800
    assert await one("resolution_time", "mean") == 3 * 3_600  # the three hours in which it was resolved do not count
    assert await one("first_contact_resolution") == 1
    assert await one("ticket_escalation") == 1 / 3
    assert await one("time_to_escalate", "mean") == 2 * 3_600
    assert (await one("open_tickets"), await one("open_tickets", "oldest")) == (2, 7 * 86_400 - 3_600)


async def test_without_tickets_counts_are_nought_and_everything_else_is_none(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    tenant = await make_tenant(connection, "pilot")
    of = window(tenant)
    for kpi, statistic, wanted in (
        ("tickets", "", 0),
        ("tickets", "per_day", 0),
        ("tickets", "escalated", 0),
        ("open_tickets", "", 0),
        ("open_tickets", "oldest", None),
        ("first_response_time", "mean", None),
        ("resolution_time", "p95", None),
        ("first_contact_resolution", "", None),
        ("ticket_escalation", "", None),
        ("support_sla", "", None),
        ("support_sla", "missed_responses", 0),
    ):
        assert (await ask(catalog, connection, kpi, ((), {}), (statistic,), of))[(), statistic] == wanted, kpi
