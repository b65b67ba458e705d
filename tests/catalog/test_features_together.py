"""How often features are used, who uses them often, what fails, and how far the declared ones are adopted: by hand."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Question, resolve_window, run
from service.clock import DAY, to_us
from tests.catalog.people import Ordinals, Use, store_people
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store
from tests.catalog.test_users import at, declared
from tests.catalog.told import describe

MONDAY = date(2025, 11, 3)
NANO = 10**9
TRACKED = {"export": {"frequency": True}, "*": {"frequency": True}, "search": {}}
Found = dict[tuple[str, ...], tuple[float | None, Any, Any]]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@dataclass(frozen=True, slots=True)
class Uses:
    """How often a user used a feature ("": anything) in the week of a Monday."""

    user: str
    week: date
    uses: int
    feature: str = "export"
    account: str = ""


async def store_weeks(connection: asyncpg.Connection, tenant: int, given: Ordinals, uses: Iterable[Uses]) -> None:
    """Write uses by user and week."""
    ids = {row["name"]: row["id"] for row in await connection.fetch("select name, id from name where tenant = $1", tenant)} | {
        "": 0
    }
    added: dict[tuple[Any, ...], int] = defaultdict(int)
    for one in uses:
        added[tenant, ids[one.feature], one.week, one.account, given.users[one.user]] += one.uses * NANO
    await connection.copy_records_to_table("user_feature_week", records=[(*key, uses) for key, uses in added.items()])


async def figures(
    catalog: Catalog,
    connection: asyncpg.Connection,
    kpi: str,
    tenant: int,
    question: Question,
    *,
    name: str = "28d",
    end: date = MONDAY + timedelta(days=28),
    now: date = MONDAY + timedelta(days=100),
    statistic: str = "",
    **tables: Any,
) -> Found:
    window = resolve_window(tenant, "UTC", now_us=at(now), name=name, end_us=at(end))
    found = await run(connection, catalog.kpis[kpi], [window], question, declared={tenant: declared(**tables)})
    return {
        tuple(value.dims[each] for each in question.by): (value.value, value.numerator, value.denominator)
        for value in found
        if value.statistic == statistic
    }


async def filled(connection: asyncpg.Connection) -> int:
    """Four weeks: anna exports 6 times in two of them, ben in one, cleo 3 + 3 in two accounts, dora never often."""
    tenant = await make_tenant(connection, "pilot")
    seats = (("anna", "acme"), ("ben", "acme"), ("cleo", "acme"), ("cleo", "beta"), ("dora", ""))
    active = [Use(MONDAY + timedelta(days=7 * week), user, "export", account) for week in range(4) for user, account in seats]
    traits = {"anna": {"role": "admin"}, "ben": {"role": "member"}, "cleo": {"role": "admin"}}
    given = await store_people(connection, tenant, [*active, Use(MONDAY, "dora", "search")], traits=traits)
    weeks = [MONDAY + timedelta(days=7 * week) for week in range(4)]
    uses = [
        Uses("anna", weeks[0], 6, account="acme"),
        Uses("anna", weeks[2], 6, account="acme"),
        Uses("ben", weeks[1], 60, account="acme"),
    ]
    uses += [Uses("cleo", week, 3, account=account) for week in weeks[:2] for account in ("acme", "beta")]
    uses += [Uses("dora", week, 5) for week in weeks]
    uses += [Uses("dora", week, 9, feature="") for week in weeks]
    await store_weeks(connection, tenant, given, uses)
    return tenant


async def test_power_users_use_a_feature_often_in_half_of_the_weeks(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await filled(connection)
    export = {"feature": ("export",)}
    ask: dict[str, Any] = {"features": TRACKED}
    assert await figures(catalog, connection, "power_users", tenant, Question(filters=export), **ask) == {(): (0.5, 2, 4)}
    assert await figures(catalog, connection, "power_users", tenant, Question(), **ask) == {(): (0.25, 1, 4)}
    by_feature = await figures(catalog, connection, "power_users", tenant, Question(("feature",)), **ask)
    assert by_feature == {("export",): (0.5, 2, 4)}
    by_role = await figures(catalog, connection, "power_users", tenant, Question(("user.role",), export), **ask)
    assert by_role == {("admin",): (1.0, 2, 2), ("member",): (0.0, 0, 1), ("",): (0.0, 0, 1)}
    by_account = await figures(catalog, connection, "power_users", tenant, Question(("account",), export), **ask)
    assert by_account == {("acme",): (1 / 3, 1, 3), ("beta",): (0.0, 0, 1)}


async def test_power_users_of_a_group_of_accounts_add_up_their_uses(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await filled(connection)
    await describe(connection, tenant, "acme", region="eu")
    await describe(connection, tenant, "beta", region="eu")
    export, ask = {"feature": ("export",)}, dict[str, Any](features=TRACKED)
    by_region = await figures(catalog, connection, "power_users", tenant, Question(("account.region",), export), **ask)
    assert by_region == {("eu",): (2 / 3, 2, 3)}


async def test_a_week_takes_its_own_uses_and_another_threshold(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await filled(connection)
    export = Question(filters={"feature": ("export",)})
    week: dict[str, Any] = {"name": "week", "end": MONDAY + timedelta(days=14), "features": TRACKED}
    assert await figures(catalog, connection, "power_users", tenant, export, **week) == {(): (0.5, 2, 4)}
    strict = week | {"activity": {"power_user_uses": 6}}
    assert await figures(catalog, connection, "power_users", tenant, export, **strict) == {(): (0.25, 1, 4)}
    # Rolling days that end on a Wednesday: of the weeks that end in them, the one before.
    rolling = week | {"name": "7d", "end": MONDAY + timedelta(days=10)}
    assert await figures(catalog, connection, "power_users", tenant, export, **rolling) == {(): (0.5, 2, 4)}


async def test_an_open_month_looks_at_the_weeks_that_have_begun(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await filled(connection)
    wednesday = MONDAY + timedelta(days=9)
    month: dict[str, Any] = {"name": "month", "end": wednesday, "now": wednesday, "features": TRACKED}
    found = await figures(catalog, connection, "power_users", tenant, Question(filters={"feature": ("export",)}), **month)
    # The weeks of 27 October (it ends on 2 November), 3 and 10 November: half of three are two.
    assert found == {(): (0.25, 1, 4)}


async def test_what_is_not_tracked_has_no_value_and_says_why(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await filled(connection)
    question = Question(filters={"feature": ("search",)})
    assert await figures(catalog, connection, "power_users", tenant, question, features=TRACKED) == {(): (None, None, 4)}
    window = resolve_window(tenant, "UTC", now_us=at(MONDAY + timedelta(days=28)), name="28d")
    [value] = await run(connection, catalog.kpis["power_users"], [window], Question(), declared={tenant: declared()})
    assert value.value is None
    assert 'features."*".frequency' in value.note


async def test_frequency_is_uses_by_user_and_week(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await filled(connection)
    await make_partitions(connection)
    start = to_us(datetime(2025, 11, 3, tzinfo=UTC))
    uses = [Observation(start + day * DAY, {"feature": "export"}, account, 2 * NANO)
            for day in (0, 3, 20) for account in ("acme", "beta", "")]  # fmt: skip
    fails = [Observation(start + DAY, {"feature": "export", "ok": "false"}, "acme", 3 * NANO)]
    await store(connection, tenant, "usage", "UTC", [*uses, *fails], distribution=False)
    export = {"feature": ("export",)}
    assert await figures(catalog, connection, "usage_frequency", tenant, Question(filters=export)) == {(): (21 / 4 / 4, 21, 16)}
    by_account = await figures(catalog, connection, "usage_frequency", tenant, Question(("account", "feature")))
    assert by_account == {("acme", "export"): (9 / 3 / 4, 9, 12), ("beta", "export"): (6 / 1 / 4, 6, 4)}
    plain = await figures(catalog, connection, "usage_frequency", tenant, Question(filters=export), statistic="per_user")
    assert plain == {(): (21 / 4, 21, 4)}
    failed = await figures(catalog, connection, "feature_failures", tenant, Question(("account",)))
    assert failed == {("acme",): (3 / 9, 3, 9), ("beta",): (0.0, 0, 6)}


async def test_the_score_is_the_mean_adoption_of_what_is_declared(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    uses = [Use(MONDAY, user, "export", "acme") for user in ("a", "b")] + [
        Use(MONDAY, user, "search", "beta") for user in ("c", "d")
    ]
    await store_people(connection, tenant, [*uses, Use(MONDAY, "a", "audit", "acme"), Use(MONDAY, "a", "other", "acme")],
                       traits={"a": {"role": "admin"}, "b": {"role": "member"}})  # fmt: skip
    features = {
        "export": {"adoption_target": 0.5},
        "search": {"adoption_target": 0.6},
        "audit": {"eligible": {"role": ["admin"]}},
        "unused": {},
        "*": {"frequency": True},
    }
    ask: dict[str, Any] = {"features": features}
    assert await figures(catalog, connection, "adoption_score", tenant, Question(), **ask) == {(): (0.5, 2, 4)}
    reached = await figures(catalog, connection, "adoption_score", tenant, Question(), statistic="features_on_target", **ask)
    assert reached == {(): (0.5, 1, 2)}
    by_account = await figures(catalog, connection, "adoption_score", tenant, Question(("account",)), **ask)
    assert by_account == {("acme",): (0.5, 2, 4), ("beta",): (pytest.approx(1 / 3), 1, 3)}
    none = await figures(catalog, connection, "adoption_score", tenant, Question(), features={})
    assert none == {(): (None, None, None)}


async def test_where_anything_is_declared_alone_each_feature_in_use_is_scored(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    tenant = await make_tenant(connection, "pilot")
    features = (
        ("a", "export"),
        ("b", "export"),
        ("b", "search"),
        ("c", "heartbeat"),
        ("c", "ping"),
        ("c", "session"),
        ("d", "export"),
    )
    uses = [Use(MONDAY, user, feature, "acme") for user, feature in features]
    # One that comes later, and one that was given up long before, are none of this window's.
    others = [Use(MONDAY + timedelta(days=days), "a", feature, "acme") for feature, days in (("launched", 30), ("retired", -200))]
    await store_people(connection, tenant, [*uses, *others])
    ask: dict[str, Any] = {"features": {"*": {}}, "feature_groups": {"beats": ["ping"]}}
    ask["activity"] = {"ignore_features": ["heartbeat", "beats"]}
    # Three of four used export, one of four search; what makes nobody active, and sessions, are none.
    score = await figures(catalog, connection, "adoption_score", tenant, Question(), **ask)
    assert score == {(): (0.5, 1, 2)}
    ask["features"] = {"*": {}, "search": {}}
    assert await figures(catalog, connection, "adoption_score", tenant, Question(), **ask) == {(): (0.25, 0.25, 1)}


async def test_a_feature_is_compared_with_another_by_uses_or_by_users(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await filled(connection)
    await make_partitions(connection)
    start = to_us(datetime(2025, 11, 3, tzinfo=UTC))
    used = (("export", "acme", 4), ("export", "", 2), ("search", "acme", 5), ("pdf", "beta", 3))
    uses = [Observation(start + DAY, {"feature": feature}, account, n * NANO) for feature, account, n in used]
    await store(connection, tenant, "usage", "UTC", uses, distribution=False)
    groups: dict[str, Any] = {"feature_groups": {"out": ["export", "pdf"]}}

    async def ratio(by: tuple[str, ...] = (), **parameters: str) -> Found:
        return await figures(catalog, connection, "feature_ratio", tenant, Question(by, parameters=parameters), **groups)

    assert await ratio(feature="out", of="search") == {(): (9 / 5, 9, 5)}
    assert await ratio(feature="search", of="out") == {(): (5 / 9, 5, 9)}
    assert await ratio(("account",), feature="out", of="search") == {("acme",): (4 / 5, 4, 5), ("beta",): (None, 3, None)}
    assert await ratio(feature="search", of="export", count="users") == {(): (1 / 4, 1, 4)}
    assert await ratio(feature="search", of="nothing") == {(): (None, 5, None)}
