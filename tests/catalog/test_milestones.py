"""Who is new, provisioned, activated or has found first value, against plain dicts over the same events."""

import random
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Question, run
from service.clock import DAY, HOUR, MINUTE
from tests.catalog.accounts import Said, store_accounts
from tests.catalog.people import Told, Use, store_milestones, store_people, store_statuses
from tests.catalog.rollups import make_tenant
from tests.catalog.test_users import ACCOUNTS, MONDAY, Oracle, at, declared, random_uses, window

SUNDAY = MONDAY + timedelta(days=6)
END_US = at(MONDAY + timedelta(days=7))
QUESTIONS: list[tuple[tuple[str, ...], dict[str, tuple[str, ...]]]] = [
    ((), {}),
    (("account",), {}),
    (("user.region",), {}),
    (("account", "user.role"), {}),
    ((), {"account": ("acme",)}),
    ((), {"account": ("acme", "beta")}),
    (("account",), {"account": ("acme", "beta")}),
    (("user.role",), {"account": ("acme", "beta")}),
    ((), {"user.region": ("eu",)}),
    (("user.role",), {"user.region": ("eu", "us")}),
]
Traits = Mapping[str, Mapping[str, str]]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def counted(
    seats: Collection[tuple[str, str]], traits: Traits, by: Sequence[str], filters: Mapping[str, Sequence[str]]
) -> dict[tuple[str, ...], int]:
    """How many users these (user, account) pairs are, by what is asked for."""
    found: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for user, account in seats:
        values = {f"user.{name}": traits.get(user, {}).get(name, "") for name in ("region", "role")} | {"account": account}
        if ("account" in by and not account) or any(values[name] not in allowed for name, allowed in filters.items()):
            continue
        found[tuple(values[name] for name in by)].add(user)
    return {dims: len(users) for dims, users in found.items()}


def random_told(seed: int, users: Collection[str], said: Sequence[str], *, each: int) -> list[Told]:
    dice = random.Random(seed)
    return [
        Told(
            user,
            at(MONDAY) + dice.randrange(-3 * DAY, 10 * DAY) // DAY * DAY,
            dice.choice(said),
            dice.choice(ACCOUNTS),
            f"/{dice.random()}",
        )
        for user in sorted(users)
        for _ in range(dice.randrange(each + 1))
    ]


async def pairs(
    catalog: Catalog, connection: asyncpg.Connection, kpi: str, tenant: int, question: Question, **tables: Any
) -> dict[tuple[str, ...], tuple[Any, Any]]:
    asked = [window(tenant, "7d", MONDAY + timedelta(days=7))]
    found = await run(connection, catalog.kpis[kpi], asked, question, declared={tenant: declared(**tables)})
    return {tuple(value.dims[name] for name in question.by): (value.numerator, value.denominator) for value in found}


async def test_new_users_are_those_whose_first_day_lies_in_the_window(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    uses, traits = random_uses(11, users=300, uses=600)
    uses = [Use(use.day - timedelta(days=3), use.user, use.feature, use.account) for use in uses]
    await store_people(connection, tenant, uses, traits=traits)
    for by, filters in QUESTIONS:
        read = [use for use in uses if use.account in filters.get("account", (use.account,))]
        first: dict[tuple[str, str], date] = {}
        for use in read:
            key = (use.user, use.account if "account" in by else "")
            first[key] = min(first.get(key, use.day), use.day)
        new = {key for key, day in first.items() if MONDAY <= day <= SUNDAY}
        others = {name: values for name, values in filters.items() if name != "account"}
        wanted = {dims: (n, None) for dims, n in counted(new, traits, by, others).items()}
        question = Question(by=by, filters=filters)
        assert await pairs(catalog, connection, "new_users", tenant, question) == wanted, (by, filters)


async def test_a_share_is_of_users_provisioned_as_of_the_end(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    uses, traits = random_uses(12)
    oracle = Oracle(uses, traits)
    users = sorted({use.user for use in uses})
    told = random_told(12, [*users, "idle-1", "idle-2"], ("provisioned", "active", "deactivated"), each=5)
    await store_people(connection, tenant, uses, traits=traits, known=["idle-1", "idle-2"])
    await store_statuses(connection, tenant, told)
    newest: dict[tuple[str, str], Told] = {}
    for number, one in enumerate(told):
        key = (one.user, one.account)
        if one.at_us < END_US and (key not in newest or rank(one) > rank(newest[key])):
            newest[key] = one
        assert one.source != told[number - 1].source
    seats = {key for key, one in newest.items() if one.said != "deactivated"}
    for by, filters in QUESTIONS:
        provisioned = counted(seats, traits, by, filters)
        active = {dims: len(who) for dims, who in oracle.users(MONDAY, SUNDAY, by, filters).items()}
        wanted = {dims: (active.get(dims, 0), provisioned.get(dims)) for dims in provisioned.keys() | active.keys()}
        question = Question(by=by, filters=filters)
        assert await pairs(catalog, connection, "wau_share", tenant, question) == wanted, (by, filters)
    by_feature = await pairs(catalog, connection, "wau_share", tenant, Question(by=("account", "feature")))
    users_of = oracle.users(MONDAY, SUNDAY, ("account", "feature"), {})
    by_account = counted(seats, traits, ("account",), {})
    assert by_feature == {dims: (len(who), by_account.get((dims[0],))) for dims, who in users_of.items()}


def rank(told: Told) -> tuple[int, str, str]:
    return told.at_us, told.source, told.id


@pytest.mark.parametrize("milestone", ["first_use", "signed_up"])
async def test_a_share_may_be_of_activated_users(catalog: Catalog, connection: asyncpg.Connection, milestone: str) -> None:
    tenant = await make_tenant(connection, "pilot")
    uses, traits = random_uses(13)
    await store_people(connection, tenant, uses, traits=traits)
    told = random_told(13, {use.user for use in uses}, ("signed_up", "first_login"), each=3)
    await store_milestones(connection, tenant, told)
    oracle = Oracle(uses, traits)
    if milestone == "first_use":
        seats = {(use.user, use.account) for use in uses if use.day <= SUNDAY}
    else:
        seats = {(one.user, one.account) for one in told if one.said == milestone and one.at_us < END_US}
    activity = {"wau_share_of": "activated", "activated_user": milestone}
    for by, filters in QUESTIONS:
        activated = counted(seats, traits, by, filters)
        active = {dims: len(who) for dims, who in oracle.users(MONDAY, SUNDAY, by, filters).items()}
        wanted = {dims: (active.get(dims, 0), activated.get(dims)) for dims in activated.keys() | active.keys()}
        question = Question(by=by, filters=filters)
        assert await pairs(catalog, connection, "wau_share", tenant, question, activity=activity) == wanted, (by, filters)


async def test_a_share_of_licensed_users_says_why_there_is_none(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    await store_people(connection, tenant, [Use(MONDAY, "a", "f")])
    asked = [window(tenant, "7d", MONDAY + timedelta(days=7))]
    question = Question(parameters={"denominator": "licensed"})
    (value,) = await run(connection, catalog.kpis["mau_share"], asked, question, declared={tenant: declared()})
    assert (value.value, value.numerator, value.reason) == (None, 1, "no_data")
    assert "licensed" in value.note


async def test_first_value_is_of_those_who_logged_in_or_used_something(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    uses, traits = random_uses(14)
    users = sorted({use.user for use in uses})
    await store_people(connection, tenant, uses, traits=traits, known=["idle"])
    told = random_told(14, [*users, "idle"], ("first_login", "first_value", "trained"), each=3)
    await store_milestones(connection, tenant, told)
    logins = [one for one in told if one.said == "first_login"]
    found_value = {(one.user, one.account) for one in told if one.said == "first_value" and one.at_us < END_US}
    for by, filters in QUESTIONS:

        def seat(user: str, account: str, *, apart: bool = "account" in by) -> tuple[str, str]:
            return user, account if apart else ""

        asked = filters.get("account", ACCOUNTS)
        sent = {seat(one.user, one.account) for one in logins if one.account in asked}
        logged_in = {(one.user, one.account) for one in logins if one.at_us < END_US}
        logged_in |= {(use.user, use.account) for use in uses if seat(use.user, use.account) not in sent and use.day <= SUNDAY}
        below, above = counted(logged_in, traits, by, filters), counted(found_value, traits, by, filters)
        wanted = {dims: (above.get(dims, 0), n) for dims, n in below.items()}
        question = Question(by=by, filters=filters)
        assert await pairs(catalog, connection, "first_value_achieved", tenant, question) == wanted, (by, filters)


@pytest.mark.parametrize("start", ["first_login", "signed_up", "account:go_live"])
async def test_time_to_first_value_is_of_the_users_earliest_one(
    catalog: Catalog, connection: asyncpg.Connection, start: str
) -> None:
    tenant = await make_tenant(connection, "pilot")
    uses, traits = random_uses(15)
    users = sorted({use.user for use in uses})
    await store_people(connection, tenant, uses, traits=traits)
    told = random_told(15, users, ("first_login", "signed_up", "first_value"), each=5)
    lived = [Told(account, at(MONDAY) + number * DAY, "go_live") for number, account in enumerate(ACCOUNTS) if account]
    await store_milestones(connection, tenant, told)
    await store_milestones(connection, tenant, lived, kind="account")
    values: dict[str, Told] = {}
    for one in told:
        if one.said == "first_value" and (one.user not in values or rank(one) < rank(values[one.user])):
            values[one.user] = one
    for by, filters in QUESTIONS:
        wanted: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for user, value in values.items():
            begun = [one.at_us for one in told if (one.user, one.said) == (user, start)]
            begun += [one.at_us for one in lived if start == "account:go_live" and one.user == value.account]
            if begun and value.at_us >= min(begun) and at(MONDAY) <= value.at_us < END_US:
                for dims in counted({(user, value.account)}, traits, by, filters):
                    wanted[dims].append(value.at_us - min(begun))
        question = Question(by=by, filters=filters, statistics=("mean", "count"))
        asked = [window(tenant, "7d", MONDAY + timedelta(days=7))]
        known = {tenant: declared(activity={"time_to_first_value_from": start})}
        found = await run(connection, catalog.kpis["time_to_first_value"], asked, question, declared=known)
        means = {tuple(v.dims[name] for name in by): v.value for v in found if v.statistic == "mean" and v.value is not None}
        assert means == {dims: pytest.approx(sum(took) / len(took) / 1e6) for dims, took in wanted.items()}, (by, filters)


async def test_percentiles_of_durations_are_interpolated(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    minutes = {f"u{n}": n for n in (4, 5, 6, 9, 15)}
    told = [Told(user, at(MONDAY), "first_login") for user in minutes]
    told += [Told(user, at(MONDAY) + took * MINUTE, "first_value") for user, took in minutes.items()]
    await store_milestones(connection, tenant, told)
    asked = [window(tenant, "7d", MONDAY + timedelta(days=7))]
    question = Question(statistics=("mean", "p50", "p95", "max", "count"))
    found = await run(connection, catalog.kpis["time_to_first_value"], asked, question, declared={tenant: declared()})
    assert {value.statistic: value.value for value in found} == {
        "mean": pytest.approx(7.8 * 60),
        "p50": 6 * 60,
        "p95": pytest.approx(13.8 * 60),
        "max": 15 * 60,
        "count": 5,
    }


async def test_an_account_that_its_users_activated_is_known_though_nobody_told_of_it(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    tenant = await make_tenant(connection, "pilot")
    start = at(MONDAY)
    await store_accounts(
        connection, tenant, [Said(start, "acme", {"status": "active"}), Said(start, "beta", {"status": "active"})]
    )
    reached = [("acme", start + HOUR), ("used", start + 2 * HOUR), ("later", start + 30 * DAY)]
    told = [Told(who, when, "activated", who, "~derived") for who, when in reached]
    await store_milestones(connection, tenant, told, kind="account")
    week = [window(tenant, "7d", MONDAY + timedelta(days=7))]
    kpi = catalog.kpis["account_activation"]
    [whole] = await run(connection, kpi, week, Question(), declared={tenant: declared()})
    assert (whole.numerator, whole.denominator) == (2, 3)
    by = await run(connection, kpi, week, Question(by=("account",)), declared={tenant: declared()})
    assert {value.dims["account"]: value.value for value in by} == {"acme": 1, "beta": 0, "used": 1}


async def times(
    catalog: Catalog, connection: asyncpg.Connection, kpi: str, tenant: int, question: Question, start: str
) -> dict[tuple[str, ...], tuple[float | None, float | None]]:
    """Mean hours, and how many, of the week."""
    asked = [window(tenant, "7d", MONDAY + timedelta(days=7))]
    known = {tenant: declared(activity={"time_to_first_value_from": start}, bands={"size": {"edges": [5], "names": ["s", "l"]}})}
    question = replace(question, statistics=("mean", "count"))
    found = await run(connection, catalog.kpis[kpi], asked, question, declared=known)
    rows: dict[tuple[str, ...], dict[str, float | None]] = defaultdict(dict)
    for value in found:
        rows[tuple(value.dims[name] for name in question.by)][value.statistic] = value.value
    return {dims: (row["mean"] and row["mean"] / 3_600, row["count"]) for dims, row in rows.items()}


async def test_milestones_are_timed_by_user_and_those_of_accounts_by_account(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    tenant = await make_tenant(connection, "pilot")
    start = at(MONDAY)
    users = {"a": "acme", "b": "acme", "c": "beta"}
    hours = {"first_login": {"a": 1, "b": 2, "c": 3}, "power_user": {"a": 25, "b": 6, "c": 2}, "trained": {"a": 5}}
    told = [Told(user, start + hour * HOUR, said, users[user], "/s") for said, by in hours.items() for user, hour in by.items()]
    await store_milestones(connection, tenant, told)
    of_accounts = {"go_live": {"acme": 10, "beta": 20}, "first_report": {"acme": 34, "beta": 12}, "power_user": {"acme": 1}}
    accounts = [Told(who, start + hour * HOUR, said, who, "/s") for said, by in of_accounts.items() for who, hour in by.items()]
    await store_milestones(connection, tenant, accounts, kind="account")
    invited = [Said(start + hour * HOUR, who, {"status": "invited", "size": size})
               for who, hour, size in (("acme", 4, "9"), ("acme", 6, "9"), ("beta", 0, "1"))]  # fmt: skip
    await store_accounts(connection, tenant, invited)

    async def ask(question: Question, start: str = "first_login") -> dict[tuple[str, ...], tuple[float | None, float | None]]:
        return await times(catalog, connection, "time_to_milestone", tenant, question, start)

    by_users = {("power_user",): (14, 2), ("trained",): (4, 1)}  # c was one before it logged in
    by_invitation = {("go_live",): ((6 + 20) / 2, 2), ("first_report",): ((30 + 12) / 2, 2)}
    assert await ask(Question(("milestone",))) == by_users | by_invitation
    # A user who reaches one of them later changes nothing of what was.
    await store_milestones(connection, tenant, [Told("a", at(MONDAY) + 40 * DAY, "first_report", "acme", "/s")])
    assert await ask(Question(("milestone",))) == by_users | by_invitation
    since_live = {("first_report",): (24, 1), ("power_user",): (15, 1)}  # beta reported before it went live
    assert await ask(Question(("milestone",)), "account:go_live") == since_live
    report = Question(filters={"milestone": ("first_report",)})
    assert await ask(report) == {(): (21, 2)}
    assert await ask(replace(report, by=("account",))) == {("acme",): (30, 1), ("beta",): (12, 1)}
    assert await ask(replace(report, by=("band.size",))) == {("l",): (30, 1), ("s",): (12, 1)}
    assert await ask(replace(report, filters={**report.filters, "account": ("beta",)})) == {(): (12, 1)}
    by_account = await ask(Question(("account", "milestone")))
    assert by_account == {
        ("acme", "power_user"): (14, 2),
        ("acme", "trained"): (4, 1),
        ("acme", "go_live"): (6, 1),
        ("acme", "first_report"): (30, 1),
        ("beta", "go_live"): (20, 1),
        ("beta", "first_report"): (12, 1),
    }
    assert await ask(Question(("milestone", "user.region"))) == {(*dims, ""): row for dims, row in by_users.items()}


async def test_training_is_completed_by_those_who_logged_in(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    seats = {"a": "acme", "b": "acme", "c": "beta"}
    uses = [Use(MONDAY, user, "search", account) for user, account in seats.items()]
    await store_people(connection, tenant, uses, traits={"a": {"region": "eu"}})
    logged_in = [Told(user, at(MONDAY), "first_login", account) for user, account in seats.items()]
    trained = [
        Told("a", at(MONDAY) + DAY, "training_completed", "acme"),
        Told("c", at(MONDAY) + 8 * DAY, "training_completed", "beta"),  # after the week
    ]
    await store_milestones(connection, tenant, [*logged_in, *trained])
    ask = partial(pairs, catalog, connection, "training_completion", tenant)
    assert await ask(Question()) == {(): (1, 3)}
    assert await ask(Question(("account",))) == {("acme",): (1, 2), ("beta",): (0, 1)}
    assert await ask(Question(("user.region",))) == {("eu",): (1, 1), ("",): (0, 2)}
