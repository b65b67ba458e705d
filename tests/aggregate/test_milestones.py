"""Milestones that are derived: of first uses, and of others; whatever comes first, the earliest moment counts."""

import itertools
from collections.abc import Iterator
from typing import Any

import asyncpg
from alembic.script import ScriptDirectory

from service.clock import DAY, HOUR, MINUTE, to_datetime
from service.domain.families.rows import Row
from service.store.config import apply_config
from service.store.migrate import config
from tests.aggregate.conftest import Site
from tests.aggregate.dump import dump
from tests.aggregate.events import Events

DECLARED = """
[tenant]
timezone = "Europe/Berlin"
[feature_groups]
sharing = ["csv", "pdf"]
[milestones.first_value]
feature = "dashboard"
[milestones.shared]
feature = "sharing"
[milestones.live]
account = true
feature = "sharing"
[milestones.power]
all_of = ["shared", "first_value"]
[milestones.activated]
account = true
all_of = ["first_login", "power"]
"""
REACHED = "select kind, milestone, who, account, time_us from milestone where milestone <> '~known'"
BITS = """
select n.name, r.population, r.span, r.since::text, sum(bit_count(r.bits))::int from reached r join name n on n.id = r.what
where n.name in ('power', 'shared') group by 1, 2, 3, 4
"""

FORGET = (
    "truncate milestone, first_reached, reached, seen_ids, activity_day, activity_week, activity_half, active_count,"
    " step, state_history, state"
)


async def declare(site: Site, text: str = DECLARED) -> None:
    async with site.pool.acquire() as connection:
        await apply_config(connection, "acme", text, now_us=site.clock.now_us(), known_kpis={})


async def reached(site: Site) -> dict[tuple[str, str, str, str], int]:
    rows: list[asyncpg.Record] = await site.pool.fetch(REACHED)
    return {tuple(row)[:4]: row["time_us"] for row in rows}


def story(site: Site, noon: int) -> list[tuple[str, Row]]:
    """Ada does everything in one account, Bob in two, Cem not all of it."""
    events = Events(site)

    def use(user: str, feature: str, after: int, account: str = "") -> tuple[str, Row]:
        return "usage", events.usage(user=user, feature=feature, time_us=noon + after, account=account)

    def login(user: str, after: int, account: str = "") -> tuple[str, Row]:
        return "user", events.user(user=user, milestone="first_login", time_us=noon + after, account=account)

    return [
        login("ada", 0),
        use("ada", "dashboard", 2 * MINUTE, "acme"),
        use("ada", "dashboard", MINUTE, "acme"),
        use("ada", "csv", 30 * MINUTE, "acme"),
        use("ada", "pdf", 20 * MINUTE, "acme"),
        use("bob", "pdf", HOUR, "acme"),
        use("bob", "dashboard", 2 * HOUR, "beta"),
        login("bob", 3 * HOUR, "beta"),
        use("cem", "csv", 4 * HOUR, "beta"),
        ("user", events.user(user="cem", milestone="first_value", time_us=noon - HOUR, account="beta")),
    ]


async def test_what_is_declared_is_derived_of_what_users_do(site: Site) -> None:
    await declare(site)
    noon = site.clock.now_us() // DAY * DAY - DAY // 2
    for family, row in story(site, noon):
        await site.append({family: [row]})
    await site.consume()
    found = {key: time_us - noon for key, time_us in (await reached(site)).items()}
    assert found == {
        ("user", "first_login", "ada", ""): 0,
        ("user", "first_value", "ada", "acme"): MINUTE,
        ("user", "shared", "ada", "acme"): 20 * MINUTE,
        ("user", "power", "ada", ""): 20 * MINUTE,
        ("user", "power", "ada", "acme"): 20 * MINUTE,
        ("account", "live", "acme", "acme"): 20 * MINUTE,
        ("account", "activated", "acme", "acme"): 20 * MINUTE,
        ("user", "shared", "bob", "acme"): HOUR,
        ("user", "first_value", "bob", "beta"): 2 * HOUR,
        ("user", "power", "bob", ""): 2 * HOUR,
        ("user", "first_login", "bob", "beta"): 3 * HOUR,
        ("account", "live", "beta", "beta"): 4 * HOUR,
        ("user", "shared", "cem", "beta"): 4 * HOUR,
        ("user", "first_value", "cem", "beta"): -HOUR,
        ("user", "power", "cem", ""): 4 * HOUR,
        ("user", "power", "cem", "beta"): 4 * HOUR,
    }
    bits = {tuple(row)[:3]: row[4] for row in await site.pool.fetch(BITS)}
    assert bits == {
        **{("power", "user", span): 3 for span in ("day", "month")},
        **{("power", "seat", span): 2 for span in ("day", "month")},
        **{("shared", population, span): 3 for population in ("user", "seat") for span in ("day", "month")},
    }


async def test_the_order_of_events_derives_the_same(site: Site) -> None:
    await declare(site)
    told = story(site, site.clock.now_us() // DAY * DAY - DAY // 2)
    dumps: list[Any] = []
    for order in itertools.islice(itertools.permutations(told), 0, 3_000_000, 999_983):
        async with site.pool.acquire() as connection:
            await connection.execute(FORGET)
        for family, row in order:
            await site.append({family: [row]})
        await site.consume()
        async with site.pool.acquire() as connection:
            whole = await dump(connection)
        dumps.append({name: whole[name] for name in ("milestone", "first_reached", "users_reached", "seats_reached")})
    assert all(each == dumps[0] for each in dumps)
    assert len(dumps[0]["milestone"]) == 16
    assert dumps[0]["first_reached"] == sorted(_firsts(dumps[0]["milestone"]), key=repr)


async def test_a_user_reaches_first_what_is_earliest_of_all_accounts_in_any_order(site: Site) -> None:
    noon = site.clock.now_us() // DAY * DAY - DAY // 2
    events = Events(site)
    told = [
        events.user(user=user, milestone="signed_up", time_us=noon + after, account=account)
        for user, account, after in [
            ("ada", "beta", HOUR),
            ("ada", "", 0),
            ("ada", "acme", 0),
            ("bob", "acme", MINUTE),
        ]
    ]
    dumps = []
    for order in itertools.islice(itertools.permutations(told), 0, None, 5):
        async with site.pool.acquire() as connection:
            await connection.execute(FORGET)
        for row in order[:2]:
            await site.append({"user": [row]})
        await site.consume()
        await site.append({"user": list(order[2:])})
        await site.consume()
        async with site.pool.acquire() as connection:
            whole = await dump(connection)
        dumps.append(whole["first_reached"])
        assert whole["first_reached"] == sorted(_firsts(whole["milestone"]), key=repr)
    assert all(each == dumps[0] for each in dumps)
    assert len(dumps[0]) == 2


async def test_an_event_of_one_time_replaces_another_by_its_source_in_any_order(site: Site) -> None:
    noon, events = site.clock.now_us() // DAY * DAY - DAY // 2, Events(site)
    told = [
        events.user(user="ada", milestone="signed_up", time_us=noon + after, account=account, source=source)
        for source, account, after in [("z", "acme", HOUR), ("y", "beta", 0), ("x", "zeta", 0)]
    ]
    for order in itertools.permutations(told):
        async with site.pool.acquire() as connection:
            await connection.execute(FORGET)
        for row in order:
            await site.append({"user": [row]})
            await site.consume()
        async with site.pool.acquire() as connection:
            [first] = (await dump(connection))["first_reached"]
        assert (first[3:5], first[6]) == ((noon, "x"), "zeta")


async def test_a_milestone_that_one_event_completes_in_several_accounts_counts_in_the_first_by_name(site: Site) -> None:
    await declare(site)
    noon, events = site.clock.now_us() // DAY * DAY - DAY // 2, Events(site)
    uses = [
        events.usage(user="eve", feature="csv", time_us=noon + after, account=account)
        for after, account in ((2, "beta"), (1, "acme"))
    ]
    await site.append({"usage": uses})
    await site.consume()
    await site.append({"user": [events.user(user="eve", milestone="first_value", time_us=noon + 3)]})
    await site.consume()
    async with site.pool.acquire() as connection:
        whole = await dump(connection)
    power = [row for row in whole["milestone"] if row[2] == "power"]
    assert sorted(row[4] for row in power) == ["", "acme", "beta"]
    assert {row[5] for row in power} == {noon + 3}
    assert [(row[3], row[6]) for row in whole["first_reached"] if row[1] == "power"] == [(noon + 3, "acme")]


async def test_what_was_reached_before_is_kept_by_the_migration_as_flushes_do(site: Site) -> None:
    migration = ScriptDirectory.from_config(config()).get_revision("0025").module
    await declare(site)
    for family, row in story(site, site.clock.now_us() // DAY * DAY - DAY // 2):
        await site.append({family: [row]})
    await site.consume()
    async with site.pool.acquire() as connection:
        flushed = (await dump(connection))["first_reached"]
        await connection.execute("truncate first_reached")
        await connection.execute(migration.FILL)
        assert (await dump(connection))["first_reached"] == flushed
    assert len(flushed) == 11


def _firsts(milestones: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The earliest of each user and milestone, by (time, source, id), named accounts before none, as the dump has it."""
    of_users = sorted(row for row in milestones if row[1] == "user")
    for (tenant, name, user), rows in itertools.groupby(of_users, key=lambda row: (row[0], row[2], row[3])):
        first = min(rows, key=lambda row: (row[5:], not row[4], row[4]))
        yield tenant, name, user, *first[5:8], first[4]


async def test_a_first_use_counts_by_what_was_declared_at_its_time(site: Site) -> None:
    events, noon = Events(site), site.clock.now_us() // DAY * DAY - DAY // 2
    await declare(site, '[tenant]\ntimezone = "Europe/Berlin"\n')
    later = site.clock.now_us() // HOUR * HOUR + 3 * HOUR
    begins = f"valid_from = {_written(later)}\n"
    await declare(site, begins + '[tenant]\ntimezone = "Europe/Berlin"\n[milestones.tried]\nfeature = "lab"\n')
    await site.append({"usage": [events.usage(feature="lab", time_us=noon)]})
    site.clock.ahead_us = 5 * HOUR
    await site.append(
        {"usage": [events.usage(feature="lab", time_us=later + MINUTE), events.usage(feature="lab", time_us=later)]}
    )
    await site.consume()
    assert await reached(site) == {("user", "tried", "ada", ""): later}


def _written(instant_us: int) -> str:
    return to_datetime(instant_us).isoformat().replace("+00:00", "Z")
