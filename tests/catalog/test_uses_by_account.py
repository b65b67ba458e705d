"""Uses by account, whichever series tell them: against plain loops, and by as few series as can be."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random

import asyncpg
import pytest

from service.catalog import Catalog, Question, Window, resolve_window, run
from service.clock import DAY, MINUTE, to_us
from service.domain.families.usage import OF_ACCOUNT
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store
from tests.catalog.test_plans import plan
from tests.catalog.test_users import declared

ZONE = "Asia/Kathmandu"
NOW_US = to_us(datetime(2025, 11, 20, 12, 7, tzinfo=UTC))
NANO = 10**9
ACCOUNTS, FEATURES = ("", "acme", "beta", "gamma"), ("csv", "export", "search")
WINDOWS = ("1h", "24h", "7d", "28d")
ALONE = "delete from {table} f using series s where s.id = f.series and s.account <> '' and s.kind <> '" + OF_ACCOUNT + "'"
KNOWN = """
insert into milestone (tenant, kind, milestone, who, account, time_us, source, id)
values ($1, 'account', '~known', $2, $2, 0, 's', 'k')
"""
REGION = """
insert into state (tenant, kind, who, account, field, time_us, source, id, value)
values ($1, 'account', $2, $2, 'trait.region', 0, 's', 'r', $3)
"""
Number = int | float | Decimal
OF_FEATURE = """-- id = "exports"
-- title = "Exports"
-- definition = "uses of one feature"
-- family = "Adoption and engagement"
-- unit = "uses"
-- kind = "count"
-- better = "higher"
-- dimensions = ["account"]
-- [facts]
-- kind = "usage"
select tenant, win, dims, '' as statistic, sum(total) filter (where d ->> 'feature' = 'export') * 0.000000001 as numerator,
       null::numeric as denominator
from facts group by tenant, win, dims
"""


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@pytest.fixture(scope="module")
def uses() -> list[Observation]:
    """Of a month, the more the newer; some in no account, some failed, some with a property that says what a failed one does."""
    dice = Random(41)
    return [
        Observation(
            NOW_US - int(dice.random() ** 3 * 30 * DAY) // MINUTE * MINUTE - MINUTE,
            {"feature": dice.choice(FEATURES)}
            | ({"ok": "false"} if dice.random() < 0.2 else {})
            | ({"property.ok": dice.choice(("false", '"ok":"false"'))} if dice.random() < 0.2 else {}),
            account=dice.choice(ACCOUNTS),
            value=dice.randrange(1, 5) * NANO // 2,
        )
        for _ in range(400)
    ]


@pytest.fixture
async def tenant(connection: asyncpg.Connection, uses: list[Observation]) -> int:
    await make_partitions(connection)
    made = await make_tenant(connection, "uses", ZONE)
    await store(connection, made, "usage", ZONE, uses, distribution=False)
    return made


def window_of(tenant: int, name: str) -> Window:
    return resolve_window(tenant, ZONE, now_us=NOW_US, name=name)


async def told(
    catalog: Catalog, connection: asyncpg.Connection, kpi: str, window: Window, question: Question
) -> dict[tuple[str, ...], tuple[Number, Number | None]]:
    known = {window.tenant: declared(feature_groups={"out": ["csv", "export"]})}
    found = await run(connection, catalog.kpis[kpi], [window], question, declared=known)
    return {
        tuple(value.dims[each] for each in question.by): (value.numerator, value.denominator)
        for value in found
        if value.statistic == "" and value.numerator is not None
    }


def added(
    uses: list[Observation], window: Window, by: Callable[[Observation], tuple[str, ...]], of: Callable[[Observation], bool]
) -> dict[tuple[str, ...], float]:
    """Quantities of the uses of accounts in a window, by plain loops."""
    sums: dict[tuple[str, ...], int] = defaultdict(int)
    for one in uses:
        if one.account and window.start_us <= one.at_us < window.end_us:
            sums[by(one)] += one.value if of(one) else 0
    return {key: total / NANO for key, total in sums.items()}


def account(one: Observation) -> tuple[str, ...]:
    return (one.account,)


def is_ok(one: Observation) -> bool:
    return "ok" not in one.dims


@pytest.mark.parametrize("name", WINDOWS)
async def test_uses_by_account_are_what_was_used_whatever_the_feature(
    catalog: Catalog, connection: asyncpg.Connection, tenant: int, uses: list[Observation], name: str
) -> None:
    window = window_of(tenant, name)
    all_of, failed = added(uses, window, account, lambda _: True), added(uses, window, account, lambda one: not is_ok(one))
    by_outcome = added(uses, window, lambda one: (one.account, one.dims.get("ok", "")), lambda _: True)
    for table in ("fact_minute", "fact_quarter", "fact_day"):
        # What is told by features and properties is not looked at.
        await connection.execute(ALONE.format(table=table))
    by = Question(("account",))
    assert await told(catalog, connection, "feature_uses", window, by) == {key: (n, None) for key, n in all_of.items()}
    split = await told(catalog, connection, "feature_uses", window, Question(("account", "ok")))
    assert split == {key: (n, None) for key, n in by_outcome.items()}
    failures = await told(catalog, connection, "feature_failures", window, by)
    assert failures == {key: (failed[key], n) for key, n in all_of.items()}


@pytest.mark.parametrize("name", WINDOWS)
async def test_uses_of_a_feature_by_account_are_of_that_feature(
    catalog: Catalog, connection: asyncpg.Connection, tenant: int, uses: list[Observation], name: str
) -> None:
    window, out = window_of(tenant, name), {"csv", "export"}
    exports = added([one for one in uses if one.dims["feature"] in out], window, account, lambda _: True)
    for filters in ({"feature": ("csv", "export")}, {"feature": ("out", "export")}):
        found = await told(catalog, connection, "feature_uses", window, Question(("account",), filters))
        assert found == {key: (n, None) for key, n in exports.items()}
    by_property = await told(catalog, connection, "feature_uses", window, Question(("account", "property.ok")))
    assert by_property == {
        key: (n, None)
        for key, n in added(uses, window, lambda one: (one.account, one.dims.get("property.ok", "")), lambda _: True).items()
    }


@pytest.mark.parametrize("name", WINDOWS)
async def test_uses_by_groups_of_accounts_and_feature_are_those_of_their_days_and_of_the_hours_beside_them(
    catalog: Catalog, connection: asyncpg.Connection, tenant: int, uses: list[Observation], name: str
) -> None:
    window, regions = window_of(tenant, name), {"acme": "eu", "beta": "eu"}
    for who, region in regions.items():
        await connection.execute(KNOWN, tenant, who)
        await connection.execute(REGION, tenant, who, region)
    wanted = added(uses, window, lambda one: (regions.get(one.account, ""), one.dims["feature"]), lambda _: True)
    # Days are read of what is kept of account and feature, and of no series.
    await connection.execute(ALONE.format(table="fact_day"))
    by = Question(("account.region", "feature"))
    found = await told(catalog, connection, "feature_uses", window, by)
    assert found == {key: (n, None) for key, n in wanted.items()}
    chosen = await told(catalog, connection, "feature_uses", window, Question(("feature",), {"account.region": ("eu",)}))
    assert chosen == {(feature,): (n, None) for (region, feature), n in wanted.items() if region}


async def test_a_feature_is_compared_with_another_by_account(
    catalog: Catalog, connection: asyncpg.Connection, tenant: int, uses: list[Observation]
) -> None:
    window = window_of(tenant, "28d")
    looked_at = [one for one in uses if one.dims["feature"] != "csv"]
    over = added(looked_at, window, account, lambda one: one.dims["feature"] == "export")
    under = added(looked_at, window, account, lambda one: one.dims["feature"] == "search")
    question = Question(("account",), parameters={"feature": "export", "of": "search"})
    assert await told(catalog, connection, "feature_ratio", window, question) == {key: (n, under[key]) for key, n in over.items()}


async def test_a_file_that_does_not_tell_what_it_reads_has_all_of_it(
    connection: asyncpg.Connection, tenant: int, uses: list[Observation], tmp_path: Path
) -> None:
    (tmp_path / "exports.sql").write_text(OF_FEATURE)
    window = window_of(tenant, "28d")
    wanted = added(uses, window, account, lambda one: one.dims["feature"] == "export")
    found = await told(Catalog.load(tmp_path), connection, "exports", window, Question(("account",)))
    assert found == {key: (n, None) for key, n in wanted.items()}


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
async def test_series_of_a_named_feature_are_found_by_it(catalog: Catalog, connection: asyncpg.Connection, mode: str) -> None:
    tenant = await make_tenant(connection, "many", ZONE)
    await connection.execute(
        "insert into series (tenant, kind, account, dims)"
        " select $1, 'usage', 'a' || a, jsonb_build_object('feature', 'f' || f)"
        " from generate_series(1, 500) a, generate_series(1, 40) f",
        tenant,
    )
    await connection.execute("analyze")
    await connection.execute(f"set plan_cache_mode = {mode}")
    questions = {
        "feature_uses": Question(("account",), {"feature": ("f7", "f8")}),
        "feature_ratio": Question(("account",), parameters={"feature": "f7", "of": "f8"}),
    }
    for name, question in questions.items():
        known = {tenant: declared()}
        nodes = await plan(connection, catalog.kpis[name], [window_of(tenant, "28d")], question, known)
        read = [node for node in nodes if node.get("Relation Name") == "series" or node.get("Index Name") == "series_feature"]
        assert "series_feature" in {node.get("Index Name") for node in read}
        assert all(node["Node Type"] != "Seq Scan" or not node["Actual Loops"] for node in read)
