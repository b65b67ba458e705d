"""Uses by traits of their users, against plain loops over the same uses; what is not kept by user has no value and says so."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Question, Value, Window, resolve_window, run
from service.clock import MINUTE, to_us
from service.domain.localtime import EPOCH, day_of
from service.errors import InvalidQuery
from tests.catalog.people import Use, store_people
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store
from tests.catalog.test_plans import NOW, is_scan_of_facts, plan
from tests.catalog.test_plans_of_sets import scans
from tests.catalog.test_users import declared
from tests.catalog.told import describe

ZONE = "Asia/Kathmandu"
MONDAY = date(2025, 11, 3)
NOW_US = to_us(datetime(2026, 1, 1, tzinfo=UTC))
NANO = 10**9
ANYTHING = 0
TRACKED = ("csv", "export", "search")
ACCOUNTS = ("", "acme", "beta", "core")
REGION = {"acme": "north", "beta": "north", "core": ""}
GROUPS = {"out": ("csv", "export")}
TRAITS = {"region": ("eu", "us"), "role": ("admin", "member")}
FILL = """
insert into tenant (name, timezone) select 't' || g, 'UTC' from generate_series(1, 20) g;
insert into name (tenant, kind, name) select t, 'feature', 'f' || f from generate_series(1, 20) t, generate_series(1, 5) f;
insert into user_feature_week
select n.tenant, n.id, date_trunc('week', current_date)::date - 7 * w, 'a' || u / 64, u, 7000000000
from name n, generate_series(0, 6) w, generate_series(0, 60) u;
insert into series (tenant, kind, account, dims)
select t, k, '', jsonb_build_object('feature', 'f' || f)
from generate_series(1, 20) t, unnest(array['usage', 'usage_named']) k, generate_series(1, 5) f;
insert into fact_day (series, day, n, total) select id, current_date - d, 61, 61 from series, generate_series(0, 40) d;
analyze;
"""
Found = dict[tuple[str, ...], tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Happened:
    """One use, of an instant; failed ones count as others do."""

    at_us: int
    user: str
    feature: str
    account: str
    quantity: int
    """1e-9."""
    ok: bool

    @property
    def day(self) -> date:
        return EPOCH + timedelta(days=day_of(self.at_us, ZONE))

    @property
    def week(self) -> date:
        return self.day - timedelta(days=self.day.weekday())


def dice_of(users: int = 60, uses: int = 900) -> tuple[list[Happened], dict[str, dict[str, str]]]:
    """Four weeks of uses, a few days around them too; users in several accounts, some of whom have no trait."""
    dice = Random(11)
    first = to_us(datetime(2025, 11, 1, tzinfo=UTC))
    made = [
        Happened(
            first + dice.randrange(32 * 24 * 60) * MINUTE,
            f"u{dice.randrange(users)}",
            dice.choice(TRACKED),
            dice.choice(ACCOUNTS),
            dice.randrange(1, 9) * NANO // 4,
            dice.random() < 0.8,
        )
        for _ in range(uses)
    ]
    traits = {f"u{n}": {trait: dice.choice(of) for trait, of in TRAITS.items() if dice.random() < 0.7} for n in range(users)}
    return made, traits


def members(values: Sequence[str]) -> set[str]:
    return {feature for value in values for feature in GROUPS.get(value, (value,))}


def by_hand(
    uses: Sequence[Happened], traits: Mapping[str, Mapping[str, str]], by: Sequence[str], filters: Mapping[str, Sequence[str]]
) -> dict[tuple[str, ...], tuple[int, set[str]]]:
    """Quantities and users by dimensions, in plain loops."""

    def value(use: Happened, name: str) -> str:
        kind, _, trait = name.partition(".")
        if kind == "user":
            return traits[use.user].get(trait, "")
        return REGION.get(use.account, "") if kind == "account" and trait else str(getattr(use, name))

    sums: dict[tuple[str, ...], int] = defaultdict(int)
    who: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for use in uses:
        allowed = all(value(use, name) in (members(of) if name == "feature" else of) for name, of in filters.items())
        if not allowed or (any(name.startswith("account") for name in by) and not use.account):
            continue
        labels = [use.feature]
        if "feature" in by and "feature" in filters:
            labels = [label for label in filters["feature"] if use.feature in members((label,))]
        for label in labels:
            dims = tuple(label if name == "feature" else value(use, name) for name in by)
            sums[dims] += use.quantity
            who[dims].add(use.user)
    return {dims: (total, who[dims]) for dims, total in sums.items()}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@pytest.fixture(scope="module")
def stream() -> tuple[list[Happened], dict[str, dict[str, str]]]:
    return dice_of()


@pytest.fixture
async def tenant(connection: asyncpg.Connection, stream: tuple[list[Happened], dict[str, dict[str, str]]]) -> int:
    return await stored(connection, *stream)


async def stored(
    connection: asyncpg.Connection,
    uses: Sequence[Happened],
    traits: Mapping[str, Mapping[str, str]],
    *,
    tracked_from: date = date.min,
) -> int:
    """Write what the folds would make of these uses, tracked from the week of a date on, each feature and anything."""
    await make_partitions(connection)
    tenant = await make_tenant(connection, "pilot", ZONE)
    people = [Use(use.day, use.user, use.feature, use.account) for use in uses]
    given = await store_people(connection, tenant, people, traits=traits, spread=40)
    facts = [
        Observation(use.at_us, {"feature": use.feature} | ({} if use.ok else {"ok": "false"}), use.account, use.quantity)
        for use in uses
    ]
    await store(connection, tenant, "usage", ZONE, facts, distribution=False)
    sums: dict[tuple[str, date, str, str], int] = defaultdict(int)
    for use in uses:
        for feature in (use.feature, ""):
            if use.week >= tracked_from:
                sums[use.user, use.week, feature, use.account] += use.quantity
    ids = {row["name"]: row["id"] for row in await connection.fetch("select name, id from name where tenant = $1", tenant)}
    await connection.copy_records_to_table(
        "user_feature_week",
        records=[
            (tenant, ids.get(feature, ANYTHING), week, account, given.users[user], total)
            for (user, week, feature, account), total in sums.items()
        ],
    )
    for account, region in REGION.items():
        await describe(connection, tenant, account, **({"region": region} if region else {"tier": "starter"}))
    return tenant


def weeks_of(tenant: int, first: date, last: date, *, key: int = 0) -> Window:
    """From the begin of a local day to the begin of another."""
    start, end = (to_us(datetime(day.year, day.month, day.day, tzinfo=UTC)) - 345 * MINUTE for day in (first, last))
    return resolve_window(tenant, ZONE, now_us=NOW_US, start_us=start, end_us=end, key=key)


async def ask(
    catalog: Catalog, connection: asyncpg.Connection, kpi: str, windows: Sequence[Window], question: Question
) -> list[Value]:
    known = {window.tenant: declared(feature_groups=GROUPS) for window in windows}
    return await run(connection, catalog.kpis[kpi], windows, question, declared=known)


def told(values: Sequence[Value], by: Sequence[str], statistic: str = "", *, key: int = 0) -> Found:
    return {
        tuple(value.dims[name] for name in by): (value.numerator, value.denominator)
        for value in values
        if value.statistic == statistic and value.window == key
    }


QUESTIONS: tuple[tuple[tuple[str, ...], dict[str, tuple[str, ...]]], ...] = (
    (("user.region",), {}),
    (("user.region", "user.role"), {}),
    (("feature", "user.region"), {}),
    (("account", "user.region"), {}),
    (("account", "feature", "user.role"), {}),
    (("account.region", "user.role"), {}),
    ((), {"user.region": ("eu",)}),
    ((), {"user.region": ("", "us")}),
    (("user.role",), {"user.region": ("eu", "us")}),
    (("feature",), {"user.region": ("eu",)}),
    (("feature", "user.region"), {"feature": ("out", "export")}),
    (("user.region",), {"feature": ("out",)}),
    (("user.role",), {"account": ("acme", "beta")}),
    (("account",), {"user.role": ("admin",), "feature": ("csv", "search")}),
    (("user.role",), {"account.region": ("north",)}),
)


async def test_uses_by_user_are_what_the_users_did(
    catalog: Catalog, connection: asyncpg.Connection, tenant: int, stream: tuple[list[Happened], dict[str, dict[str, str]]]
) -> None:
    uses, traits = stream
    second = MONDAY + timedelta(days=7)
    windows = [weeks_of(tenant, MONDAY, MONDAY + timedelta(days=28)), weeks_of(tenant, second, second + timedelta(days=7), key=1)]
    for by, filters in QUESTIONS:
        found = await ask(catalog, connection, "feature_uses", windows, Question(by, filters))
        for key, first, days in ((0, MONDAY, 28), (1, second, 7)):
            inside = [use for use in uses if first <= use.day < first + timedelta(days=days)]
            wanted = by_hand(inside, traits, by, filters)
            assert wanted
            assert told(found, by, key=key) == {dims: (total / NANO, None) for dims, (total, _) in wanted.items()}, (by, filters)
            other = [name for name in by if name != "feature"]
            active = by_hand(inside, traits, other, {name: of for name, of in filters.items() if name != "feature"})
            per_user = told(found, by, "per_user", key=key)
            assert per_user == {
                dims: (total / NANO, len(active[tuple(v for n, v in zip(by, dims, strict=True) if n != "feature")][1]))
                for dims, (total, _) in wanted.items()
            }, (by, filters)
            if "feature" in by or len(filters.get("feature", ())) == 1:
                often = await ask(catalog, connection, "usage_frequency", windows, Question(by, filters))
                assert told(often, by, "per_user", key=key) == {
                    dims: (total / NANO, len(who)) for dims, (total, who) in wanted.items()
                }, (by, filters)


async def test_the_window_week_is_made_of_its_own_uses_while_it_is_open(
    catalog: Catalog, connection: asyncpg.Connection, tenant: int, stream: tuple[list[Happened], dict[str, dict[str, str]]]
) -> None:
    uses, traits = stream
    last = max(use.week for use in uses)
    now = max(use.at_us for use in uses) + MINUTE
    week = resolve_window(tenant, ZONE, now_us=now, name="week", key=0)
    found = await ask(catalog, connection, "feature_uses", [week], Question(("user.region",)))
    wanted = by_hand([use for use in uses if use.week == last], traits, ("user.region",), {})
    assert told(found, ("user.region",)) == {dims: (total / NANO, None) for dims, (total, _) in wanted.items()}


async def test_a_window_that_is_not_of_whole_weeks_has_no_value_and_says_the_way_out(
    catalog: Catalog, connection: asyncpg.Connection, tenant: int
) -> None:
    tuesday = weeks_of(tenant, MONDAY + timedelta(days=1), MONDAY + timedelta(days=8))
    in_the_morning = resolve_window(tenant, ZONE, now_us=NOW_US, start_us=tuesday.start_us - 23 * 60 * MINUTE,
                                    end_us=tuesday.end_us - 23 * 60 * MINUTE, key=1)  # fmt: skip
    month = resolve_window(tenant, ZONE, now_us=NOW_US, name="month", end_us=tuesday.end_us, key=2)
    for question in (Question(("user.region",)), Question(filters={"user.region": ("eu",)})):
        for kpi in ("feature_uses", "usage_frequency"):
            filters = dict(question.filters) | ({"feature": ("csv",)} if kpi == "usage_frequency" else {})
            windows = [tuesday, in_the_morning, month] if kpi == "feature_uses" else [tuesday, month]
            values = await ask(catalog, connection, kpi, windows, Question(question.by, filters))
            assert {value.window for value in values} == {window.key for window in windows}
            assert {value.value for value in values} == {None}
            assert {value.reason for value in values} == {"no_data"}
            assert all("ask for the window week, or start and end on Mondays" in value.note for value in values)


async def test_a_feature_that_is_not_tracked_has_no_value_beside_one_that_is(
    catalog: Catalog, connection: asyncpg.Connection, tenant: int
) -> None:
    await connection.execute("delete from user_feature_week f using name n where n.id = f.feature and n.name = 'csv'")
    windows = [weeks_of(tenant, MONDAY, MONDAY + timedelta(days=7))]
    for kpi in ("feature_uses", "usage_frequency"):
        values = await ask(catalog, connection, kpi, windows, Question(("feature", "user.role")))
        lacking = [value for value in values if value.value is None]
        assert {value.dims["feature"] for value in lacking} == {"csv"}
        assert all("features.csv.frequency" in value.note and "user.role" not in value.dims for value in lacking)
        assert {value.dims["feature"] for value in values if value.value} == {"export", "search"}
        group = await ask(catalog, connection, kpi, windows, Question(("user.role",), {"feature": ("out",)}))
        assert {value.value for value in group} == {None}


async def test_weeks_before_a_feature_was_tracked_are_not_told_as_too_few(
    catalog: Catalog, connection: asyncpg.Connection, stream: tuple[list[Happened], dict[str, dict[str, str]]]
) -> None:
    second, third = MONDAY + timedelta(days=7), MONDAY + timedelta(days=14)
    tenant = await stored(connection, *stream, tracked_from=second)
    windows = [weeks_of(tenant, MONDAY, third), weeks_of(tenant, second, third, key=1)]
    values = await ask(catalog, connection, "feature_uses", windows, Question(("user.region",)))
    assert {value.value for value in values if value.window == 0} == {None}
    assert all('features."*".frequency' in value.note for value in values if value.window == 0)
    assert all(value.value for value in values if value.window == 1)


async def test_no_uses_at_all_are_none_whoever_is_asked_for(
    catalog: Catalog, connection: asyncpg.Connection, tenant: int
) -> None:
    empty = weeks_of(tenant, MONDAY - timedelta(days=28), MONDAY - timedelta(days=26))
    [value] = await ask(
        catalog, connection, "feature_uses", [empty], Question(filters={"user.region": ("eu",)}, statistics=("",))
    )
    assert value.value == 0


async def test_outcomes_and_properties_are_not_known_by_user(
    catalog: Catalog, connection: asyncpg.Connection, tenant: int
) -> None:
    windows = [weeks_of(tenant, MONDAY, MONDAY + timedelta(days=7))]
    for question in (Question(("ok", "user.region")), Question(("user.region",), {"property.plan": ("a",)})):
        with pytest.raises(InvalidQuery, match="kept by user, feature and account alone"):
            await ask(catalog, connection, "feature_uses", windows, question)


async def test_uses_by_user_are_read_by_key_alone(catalog: Catalog, connection: asyncpg.Connection) -> None:
    await connection.execute(FILL)
    known = dict.fromkeys(range(1, 21), declared())
    windows = [resolve_window(tenant, "UTC", now_us=NOW, name="week", key=tenant) for tenant in (3, 17, 20)]
    for mode in ("force_generic_plan", "force_custom_plan"):
        await connection.execute(f"set plan_cache_mode = {mode}")
        for kpi in ("feature_uses", "usage_frequency"):
            for by in (("feature", "user.region"), ("account", "feature", "user.region"), ("feature", "band.mrr", "user.role")):
                read = await plan(connection, catalog.kpis[kpi], windows, Question(by), known)
                weeks = [node for node in read if node.get("Relation Name") == "user_feature_week"]
                assert weeks, (kpi, by)
                assert [node for node in weeks if scans(node)] == [], (kpi, by, mode)
                assert [node for node in read if is_scan_of_facts(node)] == [], (kpi, by, mode)
