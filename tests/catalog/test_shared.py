"""What KPIs of a round read alike is read once, and each says what it would have said by itself."""

from datetime import timedelta

import asyncpg
import pytest

from service.catalog import Catalog, Question, Shared, Value, Window, run_splits
from service.catalog.cut import Kept
from service.clock import HOUR
from tests.catalog.people import store_people
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store
from tests.catalog.test_users import MONDAY, at, declared, random_uses, window

READERS = ("feature_users", "feature_adoption", "usage_frequency")
QUESTIONS = [Question(by=("feature",))]
DECLARED = {"dashboard": {"eligible": {"role": ["admin"]}}, "never_used": {}}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@pytest.fixture
async def tenants(connection: asyncpg.Connection) -> list[int]:
    """Two, whose users used features, and how much of them."""
    await make_partitions(connection)
    made = []
    for seed in (1, 2):
        tenant = await make_tenant(connection, f"shared-{seed}")
        uses, traits = random_uses(seed)
        await store_people(connection, tenant, uses, traits=traits)
        quantities = [
            Observation(at(use.day) + 9 * HOUR, {"feature": use.feature}, account=use.account, value=(n + 1) * 10**9)
            for n, use in enumerate(uses)
        ]
        await store(connection, tenant, "usage", "UTC", quantities, distribution=False)
        made.append(tenant)
    return made


def windows(tenants: list[int]) -> list[Window]:
    named = [(tenant, name, day) for tenant in tenants for name, day in (("week", 7), ("28d", 10), ("7d", 9))]
    return [window(tenant, name, MONDAY + timedelta(days=day), key=place) for place, (tenant, name, day) in enumerate(named)]


def told(values: list[Value]) -> list[tuple[str, ...]]:
    """Rows of one name come in any order."""
    return sorted((str(value.window), value.statistic, repr(sorted(value.dims.items())), repr(value)) for value in values)


async def answers(
    catalog: Catalog, connection: asyncpg.Connection, kpi: str, tenants: list[int], shared: Shared | None
) -> list[tuple[str, ...]]:
    known = {tenant: declared(features=DECLARED) for tenant in tenants}
    of = catalog.kpis[kpi]
    return told(await run_splits(connection, of, windows(tenants), QUESTIONS, declared=known, kept=Kept(), shared=shared))


async def test_what_is_shared_changes_no_figure(catalog: Catalog, connection: asyncpg.Connection, tenants: list[int]) -> None:
    shared = Shared()
    for kpi in (*READERS, "feature_failures"):
        alone = await answers(catalog, connection, kpi, tenants, None)
        assert await answers(catalog, connection, kpi, tenants, shared) == alone, kpi
        assert alone, kpi


async def test_users_of_features_are_read_once_a_round(
    catalog: Catalog, connection: asyncpg.Connection, tenants: list[int]
) -> None:
    shared = Shared()
    before = await answers(catalog, connection, "feature_users", tenants, shared)
    for table in ("activity_day", "activity_week", "activity_half"):
        await connection.execute(f"delete from {table} where feature <> 0 and tenant = any($1)", tenants)
    assert await answers(catalog, connection, "feature_users", tenants, shared) == before
    assert await answers(catalog, connection, "feature_users", tenants, Shared()) != before


async def test_filters_other_splits_and_other_windows_share_nothing(
    catalog: Catalog, connection: asyncpg.Connection, tenants: list[int]
) -> None:
    shared, known = Shared(), {tenant: declared(features=DECLARED) for tenant in tenants}
    users, asked = catalog.kpis["feature_users"], windows(tenants)
    questions = [
        Question(by=("feature",)),
        Question(by=("feature",), filters={"feature": ("dashboard",)}),
        Question(by=("feature", "account")),
        Question(by=("account", "feature")),
        Question(by=("feature",), rows=1),
    ]
    for question in questions:
        for some in (asked, asked[1:], asked[:2]):
            alone = await run_splits(connection, users, some, [question], declared=known, kept=Kept())
            found = await run_splits(connection, users, some, [question], declared=known, kept=Kept(), shared=shared)
            assert told(found) == told(alone), question


async def test_formulas_ask_once_in_a_round_for_what_they_are_made_of(
    catalog: Catalog, connection: asyncpg.Connection, tenants: list[int]
) -> None:
    statements: list[str] = []
    shared, formulas = Shared(), ("recovery_net", "recovery_roi", "arr", "clv", "clv_cac", "cac_payback")

    async def asked(of: Shared | None) -> tuple[list[list[tuple[str, ...]]], int]:
        statements.clear()
        month = [window(tenant, "month", MONDAY + timedelta(days=7), key=tenant) for tenant in tenants]
        with connection.query_logger(lambda query: statements.append(query.query)):
            found = [
                told(await run_splits(connection, catalog.kpis[kpi], month, [Question()], declared={}, kept=Kept(), shared=of))
                for kpi in formulas
            ]
        return found, len(statements)

    alone, each = await asked(None)
    together, once = await asked(shared)
    assert together == alone
    # recovered_revenue, recovery_incentive, mrr, arpa, gross_margin, customer_churn and cac.
    assert (once, each > once) == (7, True)
    assert (await asked(shared))[1] == 0
