"""Funnels: steps by themselves and one after the other, computed by hand."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Question, run
from service.clock import DAY, HOUR
from tests.catalog.people import Told, Use, store_milestones, store_people, store_statuses
from tests.catalog.rollups import make_tenant
from tests.catalog.test_users import MONDAY, at, declared, window

START = at(MONDAY)
ORDERED = {
    "name": "way",
    "ordered": True,
    "within": "2d",
    "steps": [
        {"name": "come", "users": "milestone:first_login"},
        {"name": "look", "users": "feature:dashboard", "base": "come"},
        {"name": "share", "users": "feature:export", "base": "look"},
    ],
}
ALONE = {
    "name": "each",
    "steps": [
        {"name": "known", "accounts": "known"},
        {"name": "invited", "accounts": "invited", "base": "known"},
        {"name": "live", "accounts": "milestone:go_live", "base": "invited"},
        {"name": "given", "users": "provisioned"},
        {"name": "here", "users": "active", "base": "given"},
        {"name": "shared", "users": "feature:export", "base": "here"},
        {"name": "trained", "users": "milestone:trained", "base": "given"},
        {"name": "activated", "users": "activated", "base": "given"},
    ],
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


async def funnel(
    catalog: Catalog, connection: asyncpg.Connection, tenant: int, name: str, *by: str, **filters: tuple[str, ...]
) -> dict[tuple[str, ...], dict[str, Any]]:
    """Every step's statistics, of the week."""
    question = Question(by=("step", *by), filters={"funnel": (name,), **filters})
    known = {tenant: declared(funnel=[ORDERED, ALONE], feature_groups={"export": ["csv", "pdf"]})}
    asked = [window(tenant, "7d", MONDAY + timedelta(days=7))]
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for value in await run(connection, catalog.kpis["funnel"], asked, question, declared=known):
        found.setdefault(tuple(value.dims[each] for each in question.by), {})[value.statistic] = value.value
    return found


def times(user: str, *steps: float | None, account: str = "") -> list[Told]:
    """First-ever times of the ordered funnel's steps, in hours after Monday; None: never."""
    names = ("first_login", "~first:dashboard", "~first:export")
    return [
        Told(user, START + int(after * HOUR), name, account)
        for after, name in zip(steps, names, strict=True)
        if after is not None
    ]


async def test_steps_count_as_far_as_first_times_ascend_in_time(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    told = [
        *times("whole", 1, 2, 3, account="acme"),
        *times("at once", 5, 5, 5, account="acme"),
        *times("backwards", 10, 4, 12, account="acme"),
        *times("leaves one out", 10, None, 12, account="beta"),
        *times("too slow", 1, 2, 50, account="beta"),
        *times("just in time", 1, 2, 49, account="beta"),
        *times("came before", -1, 2, 3, account="beta"),
        *times("not yet", 7 * 24, 7 * 24, None),
        *times("twice", 20, 30, None, account="acme"),
        *times("twice", 10, 25, 9, account="beta"),
    ]
    await store_milestones(connection, tenant, told)
    steps = await funnel(catalog, connection, tenant, "way")
    assert steps == {
        ("come",): {"": 7, "share": 1, "of_first": 1, "drop": 0},
        ("look",): {"": 5, "share": 5 / 7, "of_first": 5 / 7, "drop": 2 / 7},
        ("share",): {"": 3, "share": 3 / 5, "of_first": 3 / 7, "drop": 2 / 5},
    }
    by_account = await funnel(catalog, connection, tenant, "way", "account")
    assert {dims: row[""] for dims, row in by_account.items()} == {
        ("come", "acme"): 4,
        ("look", "acme"): 3,
        ("share", "acme"): 2,
        ("come", "beta"): 4,
        ("look", "beta"): 3,
        ("share", "beta"): 1,
    }
    beta = await funnel(catalog, connection, tenant, "way", account=("beta",))
    assert [row[""] for row in beta.values()] == [4, 3, 1]


async def test_steps_by_themselves_count_whoever_is_there(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    sunday, week_before = MONDAY + timedelta(days=6), MONDAY - timedelta(days=7)
    uses = [
        Use(MONDAY, "ann", "csv", "acme"),
        Use(sunday, "ann", "pdf", "acme"),
        Use(sunday, "bob", "dashboard", "acme"),
        Use(week_before, "cem", "csv", "beta"),
        Use(MONDAY, "dan", "pdf", "beta"),
    ]
    await store_people(connection, tenant, uses, traits={"ann": {"role": "admin"}, "cem": {"role": "admin"}})
    statuses = [
        Told(user, START - DAY, "provisioned", account) for user, account in (("ann", "acme"), ("bob", "acme"), ("eve", "beta"))
    ]
    statuses += [Told("cem", START - DAY, "provisioned", "beta"), Told("cem", START + DAY, "deactivated", "beta")]
    await store_statuses(connection, tenant, statuses)
    await store_milestones(
        connection, tenant, [Told("bob", START, "trained", "acme"), Told("dan", START + 8 * DAY, "trained", "beta")]
    )
    accounts = [Told(account, START - DAY, "~known", account) for account in ("acme", "beta", "core")]
    await store_milestones(connection, tenant, [*accounts, Told("acme", START, "go_live", "acme")], kind="account")
    invited = [
        Told("acme", START - DAY, "invited", "acme"),
        Told("acme", START, "active", "acme"),
        Told("beta", START, "invited", "beta"),
    ]
    await store_statuses(connection, tenant, invited, kind="account")
    steps = await funnel(catalog, connection, tenant, "each")
    assert {dims[0]: (row[""], row["share"], row["of_first"]) for dims, row in steps.items()} == {
        "known": (3, 1, 1),
        "invited": (2, 2 / 3, 2 / 3),
        "live": (1, 1 / 2, 1 / 3),
        "given": (3, 1, 1),
        "here": (3, 1, 1),
        "shared": (2, 2 / 3, 2 / 3),
        "trained": (1, 1 / 3, 1 / 3),
        "activated": (4, 4 / 3, 4 / 3),
    }
    by_account = await funnel(catalog, connection, tenant, "each", "account")
    assert {dims[1]: row[""] for dims, row in by_account.items() if dims[0] == "given"} == {"acme": 2, "beta": 1, "core": 0}
    by_role = await funnel(catalog, connection, tenant, "each", "user.role")
    assert {dims[1]: row[""] for dims, row in by_role.items() if dims[0] == "activated"} == {"admin": 2, "": 2}


async def test_an_account_that_its_users_activated_is_known_to_a_funnel(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    reached = [Told("acme", START - DAY, "~known", "acme")]
    reached += [Told(account, START, "activated", account) for account in ("acme", "used")]
    await store_milestones(connection, tenant, reached, kind="account")
    steps = await funnel(catalog, connection, tenant, "each")
    assert steps["known",][""] == 2


async def test_a_funnel_of_nobody_has_counts_of_0_and_no_shares(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    steps = await funnel(catalog, connection, tenant, "way")
    assert steps == {(step,): {"": 0, "share": None, "of_first": None, "drop": None} for step in ("come", "look", "share")}
