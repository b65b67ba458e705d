"""Plan guards: no KPI of customers, feedback, recoveries or items scans a table that grows with what is said of them."""

import json

import asyncpg
import pytest

from service.catalog import Catalog, Kpi, Question, declared_of
from service.domain.config import TenantConfig
from service.store.standings import OF_ALL, OF_SOME, STATUSES
from tests.catalog.test_plans import nodes, plan
from tests.catalog.test_plans_of_sets import TENANTS, questions, scans, windows

FAMILIES = ("Satisfaction", "Revenue and customers")
FILL = """
insert into tenant (name, timezone) select 't' || g, 'UTC' from generate_series(1, 40) g;
insert into milestone (tenant, kind, milestone, who, account, time_us, source, id)
select t, 'account', m, 'a' || g, 'a' || g, 1700000000000000 + g, '/s', 'e' || g
from generate_series(1, 40) t, generate_series(0, 40) g, unnest(array['~known', 'go_live', 'activated']) m;
insert into state_history (tenant, kind, field, who, account, time_us, source, id, value)
select t, 'account', f, 'a' || g, 'a' || g, 1700000000000000 + g + d * 86400000000, '/s', 'e' || g || d, v
from generate_series(1, 40) t, generate_series(0, 40) g, generate_series(0, 2) d,
  (values ('status', 'active'), ('tier', 'starter'), ('mrr', '100 USD'), ('usage_fees', '1 USD'), ('renewal', '2030-01-01'),
          ('contract_start', '2025-01-01'), ('contract_end', '2026-12-31'), ('licensed_users', '7'), ('size', '9')) as s(f, v);
insert into step (tenant, family, subject, time_us, source, id, account, fields)
select t, f, 'i' || i, extract(epoch from now() - i * interval '1 hour') * 1000000, '/s', 'e' || i || a, 'a' || i % 40,
  jsonb_build_object('action', a, 'survey', case when i % 2 = 0 then 'nps' else 'csat' end, 'score', 3, 'scale', 10,
    'themes', jsonb_build_array('f1'), 'amount', 5, 'amount_currency', 'USD', 'kind', 'opportunity', 'status', 'open', 'value', 1,
    'value_currency', 'USD')
from generate_series(1, 40) t, unnest(array['feedback', 'recovery', 'item', 'ticket']) f, generate_series(0, 60) i,
  unnest(array['responded', 'invited', 'at_risk', 'recovered']) a;
insert into series (tenant, kind, account, dims)
select t, 'meter', '', jsonb_build_object('meter', m, 'currency', 'USD')
from generate_series(1, 40) t, unnest(array['cost.acquisition', 'cost.goods_sold', 'cash.balance']) m;
insert into fact_day
select s.id, current_date - g, 10, 1e9, 1e7, 1e9, 1, 's', 'i', 1, null from series s, generate_series(0, 100) g;
analyze;
"""


@pytest.fixture(scope="module")
def kpis() -> list[Kpi]:
    known = Catalog.load().kpis.values()
    return [kpi for kpi in known if kpi.head.family in FAMILIES and kpi.formula is None]


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
async def test_values_and_steps_of_customers_are_read_by_key_alone(
    connection: asyncpg.Connection, kpis: list[Kpi], mode: str
) -> None:
    await connection.execute(FILL)
    await connection.execute(f"set plan_cache_mode = {mode}")
    declared = {tenant: declared_of(TenantConfig()) for tenant in range(1, TENANTS + 1)}
    assert len(kpis) > 20
    for kpi in kpis:
        for question in [*questions(kpi), Question(("account.region",)), Question(("band.mrr",))]:
            if all(kpi.splits_by(name) for name in (*question.by, *question.filters)):
                read = await plan(connection, kpi, windows(kpi), question, declared)
                assert [node["Relation Name"] for node in read if scans(node) or is_of_facts(node)] == [], f"{kpi.id} {question}"


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
@pytest.mark.parametrize("statement", [OF_ALL, OF_SOME, STATUSES], ids=["all", "some", "statuses"])
async def test_how_accounts_stood_is_read_by_key_alone(connection: asyncpg.Connection, statement: str, mode: str) -> None:
    await connection.execute(FILL)
    await connection.execute("insert into name (tenant, kind, name) select g, 'signal', 'merger' from generate_series(1, 40) g")
    await connection.execute(f"set plan_cache_mode = {mode}")
    of: dict[str, list[list[int] | list[str]]] = {OF_ALL: [[0] * 2], OF_SOME: [[0] * 2, ["a1", "a2"]], STATUSES: []}
    now_us = 1_800_000_000_000_000
    text = await connection.fetchval(f"explain (analyze, format json) {statement}", [0, 1], [1, 2], [now_us] * 2, *of[statement])
    read = [node for node in nodes(json.loads(text)[0]["Plan"]) if node.get("Relation Name") in {"state_history", "milestone"}]
    assert {node["Relation Name"] for node in read} == {"state_history", "milestone"}
    assert [node for node in read if node["Node Type"] == "Seq Scan" and node["Actual Loops"] > 0] == []


def is_of_facts(node: dict[str, object]) -> bool:
    """A sequential scan of a table of facts that was run."""
    name = str(node.get("Relation Name", ""))
    return node["Node Type"] == "Seq Scan" and name.startswith("fact_") and bool(node["Actual Loops"])
