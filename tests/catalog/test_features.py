"""Adoption, users and the heat map of features, against plain sets over the same uses."""

from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Question, run
from service.domain.config import TenantConfig
from service.domain.targets import judge
from service.errors import InvalidQuery
from tests.catalog.people import Use, store_people
from tests.catalog.rollups import make_tenant
from tests.catalog.test_users import GROUPS, MONDAY, QUESTIONS, Oracle, declared, random_uses, window

SUNDAY = MONDAY + timedelta(days=6)
DECLARED = {"dashboard": {}, "never_used": {"adoption_target": 0.5}}
Rows = dict[tuple[str, ...], tuple[Any, Any]]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


async def rows(
    catalog: Catalog,
    connection: asyncpg.Connection,
    kpi: str,
    tenant: int,
    question: Question,
    *,
    statistic: str = "",
    **tables: Any,
) -> Rows:
    asked = [window(tenant, "week", MONDAY + timedelta(days=7))]
    known = {tenant: declared(feature_groups=GROUPS, **tables)}
    found = await run(connection, catalog.kpis[kpi], asked, question, declared=known)
    return {
        tuple(value.dims[name] for name in question.by if name in value.dims): (value.numerator, value.denominator)
        for value in found
        if value.statistic == statistic
    }


async def test_adoption_is_of_the_active_users_of_the_window(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    uses, traits = random_uses(5)
    oracle = Oracle(uses, traits)
    await store_people(connection, tenant, uses, traits=traits)
    for by, filters in QUESTIONS:
        if "feature" not in by and len(filters.get("feature", ())) != 1:
            continue
        used = oracle.users(MONDAY, SUNDAY, by, filters)
        others = {name: values for name, values in filters.items() if name != "feature"}
        active = oracle.users(MONDAY, SUNDAY, tuple(name for name in by if name != "feature"), others)
        wanted: Rows = {}
        shown = filters.get("feature", tuple(DECLARED))
        for place in active:
            for feature in {dims[by.index("feature")] for dims in used} | set(shown) if "feature" in by else {""}:
                rest = list(place)
                dims = tuple(feature if name == "feature" else rest.pop(0) for name in by)
                if dims in used or feature in shown or "feature" not in by:
                    wanted[dims] = (len(used.get(dims, ())), len(active[place]))
        question = Question(by=by, filters=filters)
        assert await rows(catalog, connection, "feature_adoption", tenant, question, features=DECLARED) == wanted, (by, filters)
        counts = await rows(catalog, connection, "feature_users", tenant, question, features=DECLARED)
        assert counts == {dims: (n, None) for dims, (n, _) in wanted.items()}, (by, filters)


async def test_adoption_is_never_added_up_across_features(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    with pytest.raises(InvalidQuery, match="feature"):
        await rows(catalog, connection, "feature_adoption", tenant, Question())


@pytest.mark.parametrize(
    "by", [("feature",), ("account", "feature"), ("feature", "user.region")], ids=["all", "account", "region"]
)
async def test_adoption_of_a_feature_for_some_is_of_those_who_are_eligible(
    catalog: Catalog, connection: asyncpg.Connection, by: tuple[str, ...]
) -> None:
    tenant = await make_tenant(connection, "pilot")
    uses, traits = random_uses(6)
    await store_people(connection, tenant, uses, traits=traits, spread=50)
    eligible = {"role": ["admin"], "region": ["eu", "us"]}
    allowed = {user for user, values in traits.items() if all(values.get(trait) in of for trait, of in eligible.items())}
    oracle = Oracle([use for use in uses if use.user in allowed], traits)
    used = oracle.users(MONDAY, SUNDAY, by, {"feature": ("audit",)})
    active = oracle.users(MONDAY, SUNDAY, tuple(name for name in by if name != "feature"), {})
    found = await rows(
        catalog, connection, "feature_adoption", tenant, Question(by=by, filters={"feature": ("audit",)}),
        features={"audit": {"eligible": eligible}, "dashboard": {}},
    )  # fmt: skip
    assert {dims: n for dims, n in found.items() if n[1]} == {
        dims: (len(who), len(active[tuple(value for value in dims if value != "audit")])) for dims, who in used.items()
    }
    all_users = {use.user for use in uses if MONDAY <= use.day <= SUNDAY}
    dashboard = await rows(
        catalog, connection, "feature_adoption", tenant, Question(filters={"feature": ("dashboard",)}),
        features={"audit": {"eligible": eligible}, "dashboard": {}},
    )  # fmt: skip
    assert dashboard[()][1] == len(all_users)


async def test_a_group_has_eligible_users_and_a_target_and_is_no_feature_of_the_score(
    catalog: Catalog, connection: asyncpg.Connection
) -> None:
    tenant = await make_tenant(connection, "pilot")
    uses, traits = random_uses(6)
    await store_people(connection, tenant, uses, traits=traits, spread=50)
    members, alone = GROUPS["export"], {"dashboard": dict[str, Any]()}
    group = {"adoption_target": 0.5, "eligible": {"role": ["admin"]}}
    allowed = {user for user, values in traits.items() if values.get("role") == "admin"}
    week = [use for use in uses if MONDAY <= use.day <= SUNDAY and use.user in allowed]
    used, active = ({use.user for use in week if every or use.feature in members} for every in (False, True))
    features = {**alone, "export": group}
    found = await rows(
        catalog, connection, "feature_adoption", tenant, Question(filters={"feature": ("export",)}), features=features
    )
    assert used
    assert found == {(): (len(used), len(active))}
    config = TenantConfig.model_validate({"feature_groups": GROUPS, "features": features})
    judged = judge(config, kpi="feature_adoption", dims={"feature": "export"}, window="week", value=len(used) / len(active))
    assert judged.target == 0.5
    # Whoever uses a group uses one of its features: it has no row among them, and no part in the score.
    for kpi, question in (("feature_adoption", Question(by=("feature",))), ("adoption_score", Question())):
        without, beside = [await rows(catalog, connection, kpi, tenant, question, features=of) for of in (alone, features)]
        assert without == beside
    score = "adoption_score", tenant, Question()
    anything = [await rows(catalog, connection, *score, features={"*": {}, **of}) for of in ({}, {"export": group})]
    assert anything[0] == anything[1] != {}


async def test_nobody_eligible_is_no_adoption(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    await store_people(connection, tenant, [Use(MONDAY, "a", "audit")])
    features = {"audit": {"eligible": {"role": ["admin"]}}}
    found = await rows(catalog, connection, "feature_adoption", tenant, Question(by=("feature",)), features=features)
    assert found == {("audit",): (0, 0)}


async def test_the_heat_map_shows_all_weekdays_and_adds_up(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    uses, traits = random_uses(7, days=7)
    oracle = Oracle(uses, traits)
    await store_people(connection, tenant, uses, traits=traits)
    by, filters = ("feature", "weekday"), {"feature": ("export", "dashboard", "never_used")}
    wanted: Counter[tuple[str, str]] = Counter()
    for number in range(7):
        day = MONDAY + timedelta(days=number)
        wanted.update({(feature, str(number + 1)): 0 for feature in filters["feature"]})
        wanted.update(
            {(dims[0], str(number + 1)): len(who) for dims, who in oracle.users(day, day, ("feature",), filters).items()}
        )
    question = Question(by=by, filters=filters)
    assert await rows(catalog, connection, "feature_heatmap", tenant, question) == {dims: (n, None) for dims, n in wanted.items()}
    totals: defaultdict[tuple[str, ...], int] = defaultdict(int)
    for (feature, _), n in wanted.items():
        totals[(feature,)] += n
    assert await rows(catalog, connection, "feature_heatmap", tenant, question, statistic="total") == {
        dims: (n, None) for dims, n in totals.items()
    }
    mondays = Question(by=("feature",), filters=filters | {"weekday": ("1",)})
    assert (await rows(catalog, connection, "feature_heatmap", tenant, mondays))[("export",)] == (wanted["export", "1"], None)


async def test_features_that_make_nobody_active_have_users_all_the_same(catalog: Catalog, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    await store_people(connection, tenant, [Use(MONDAY, "a", "beat", counts=False), Use(MONDAY, "b", "audit")])
    found = await rows(catalog, connection, "feature_users", tenant, Question(by=("feature",)))
    assert found == {("beat",): (1, None), ("audit",): (1, None)}
