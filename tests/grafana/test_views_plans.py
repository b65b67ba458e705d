"""Plan guards: among two thousand tenants a role's question of any view reads its own rows by their keys."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import pytest

from service.store.grafana import create_reader, drop_reader, new_password
from service.store.tenants import tenant_by_name
from tests.grafana.stored import as_role, views

TENANTS = 2_000
# Small tenants: a few rows of each table, by the keys that questions of dashboards have.
# ruff: noqa: E501  # rows, not sentences
FILL = """
insert into tenant (name, timezone) select 't' || g, 'America/New_York' from generate_series(1, 2000) g;
insert into series (tenant, kind, account, dims)
select t.id, kind, '', '{"outcome": "delivered", "status": "200"}' from tenant t, unnest(array['request', 'delivery', 'meter', 'usage', 'slo']) kind;
insert into fact_minute
select s.id, date_trunc('minute', now()) - g * interval '1 minute', 1, 1, 1, 1, 1, 's', 'i', 1, null from series s, generate_series(0, 7) g;
insert into fact_quarter
select s.id, date_bin('15 min', now(), 'epoch') - g * interval '15 min', 1, 1, 1, 1, 1, 's', 'i', 1, null
from series s, generate_series(0, 7) g;
insert into fact_day select s.id, current_date - g, 1, 1, 1, 1, 1, 's', 'i', 1, null from series s, generate_series(0, 7) g;
insert into kpi_latest
select t.id, kpi, s, '30d', '{"account": "a"}', 1, 1, 1, 1, 1, 'green', now(), now(), now()
from tenant t, unnest(array['health', 'churn_risk', 'dau', 'funnel', 'slo']) kpi, unnest(array['', 'p95']) s;
insert into scorecard_latest
select t.id, 's', g, '7d', 'dau', true, 'dau', '', '{}', '', '', 1, 1, 1, 'green', null, now(), now() from tenant t, generate_series(1, 5) g;
insert into kpi_history
select t.id, kpi, '', 'day', now() - g * interval '1 day', '{}', now(), 1, 1, 1, 1, 1, 'green', now()
from tenant t, unnest(array['dau', 'health']) kpi, generate_series(1, 5) g;
insert into name (tenant, kind, name) select t.id, 'feature', 'f' || g from tenant t, generate_series(1, 2) g;
insert into activity_day
select t.id, 'user', 0, current_date - g, 0, b'11'::bit(2048) from tenant t, generate_series(0, 7) g
union all select n.tenant, 'user', n.id, current_date - g, 0, b'11'::bit(2048) from name n, generate_series(0, 7) g;
insert into reached select t.id, 'user', 0, 'day', current_date - g, 0, b'11'::bit(2048) from tenant t, generate_series(0, 7) g;
insert into step (tenant, family, subject, time_us, source, id, account, fields)
select t.id, f, 'x' || g, 1700000000000000 + g, 's', 'i', 'a', '{"action": "opened", "status": "open"}'
from tenant t, unnest(array['incident', 'item']) f, generate_series(1, 5) g;
insert into ticket (tenant, subject, account, opened_us, last_us, excluded, gap_from_us, gap_to_us, idle_us)
select t.id, 'x' || g, 'a', 1700000000000000 + g, 1700000000000000 + g, false, '{}', '{}', 0 from tenant t, generate_series(1, 5) g;
insert into ticket_due select t.id, 'x' || g, 1, 1, 1, 0 from tenant t, generate_series(1, 5) g;
insert into milestone select t.id, 'account', '~known', 'a' || g, 'a' || g, 1, 's', 'i' from tenant t, generate_series(1, 5) g;
insert into state select t.id, 'account', 'a' || g, 'a' || g, 'trait.industry', 1, 's', 'i', 'x' from tenant t, generate_series(1, 5) g;
insert into state_history (tenant, kind, field, who, account, time_us, source, id, value)
select t.id, 'account', f, 'a' || g, 'a' || g, 1, 's', 'i', '1 USD' from tenant t, generate_series(1, 5) g, unnest(array['mrr', 'status']) f;
insert into ledger select t.id, 's' || g, current_date, 1, 1, 1 from tenant t, generate_series(1, 5) g;
insert into source_quarter select t.id, 's' || g, date_bin('15 min', now(), 'epoch'), array[1, null] from tenant t, generate_series(1, 5) g;
insert into dead_letter
select t.id, 's', ('\\x' || lpad(g::text, 4, '0'))::bytea, 'malformed', 'i', '', 'd', 'r', 'http', now() from tenant t, generate_series(1, 5) g;
insert into config_version (tenant, version, source, parsed) select id, 1, '', '{"scorecard": {}, "funnel": [], "items": {}, "freshness": {}, "slo": [{"name": "a"}]}'
from tenant;
update tenant set config_version = 1;
insert into probe_quarter
select t.id, '', 'c', 'm', '', date_bin('15 min', now(), 'epoch') - g * interval '15 min', b'1'::bit(900), b'0'::bit(900), b'0'::bit(900),
  b'0'::bit(900), b'0'::bit(900), 1, 1
from tenant t, generate_series(0, 4) g;
analyze;
"""
FILTERS = {
    "time": "time > now() - interval '1 hour'",
    "day": "day > current_date - 7",
    "cohort": "cohort > current_date - 7",
    "received_at": "received_at > now() - interval '1 day'",
}
"""How a dashboard asks, by the first of these columns that a view has."""
OWN = {"kpi_history": "kpi = 'dau' and window_name = 'day' and ended_at > now() - interval '3 days'", "source": "true"}
SMALL = {"grafana_reader"}
"""Tables of as many rows as there are roles."""


@pytest.fixture(scope="module")
def address(make_database: Callable[[], str]) -> Iterator[tuple[str, str]]:
    """A database with many tenants, and the role that reads one of them."""
    url = make_database()

    async def build() -> str:
        connection = await asyncpg.connect(url)
        await connection.execute(FILL)
        reader = await create_reader(connection, await tenant_by_name(connection, "t700"), new_password())
        await connection.close()
        return reader.role

    async def tear_down() -> None:
        connection = await asyncpg.connect(url)
        await drop_reader(connection, await tenant_by_name(connection, "t700"))
        await connection.close()

    yield url, asyncio.run(build())
    asyncio.run(tear_down())


@pytest.fixture
async def reader(address: tuple[str, str]) -> AsyncIterator[asyncpg.Connection]:
    connection = await as_role(*address)
    yield connection
    await connection.close()


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from nodes(child)


def read(node: dict[str, Any]) -> float:
    """Rows that a node looked at, shown or not."""
    per_loop = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return float(per_loop * node["Actual Loops"])


async def questions(connection: asyncpg.Connection) -> dict[str, str]:
    """What a dashboard asks of each view."""
    found = {}
    for view in await views(connection):
        columns = await connection.fetch(
            "select attname from pg_attribute where attrelid = ('grafana.' || $1)::regclass and attnum > 0", view
        )
        names = {row["attname"] for row in columns}
        keyed = next((condition for name, condition in FILTERS.items() if name in names and view != "source"), "true")
        keyed = FILTERS["cohort"] if "cohort" in names else keyed
        found[view] = f"select * from grafana.{view} where {OWN.get(view, keyed)}"
    return found


async def test_no_view_scans_a_table_of_all_tenants(reader: asyncpg.Connection) -> None:
    for view, question in (await questions(reader)).items():
        plan = json.loads(await reader.fetchval(f"explain (analyze, timing off, format json) {question}"))[0]["Plan"]
        scanned = [
            node["Relation Name"]
            for node in nodes(plan)
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] not in SMALL and read(node) > 0
        ]
        assert scanned == [], f"{view} {json.dumps(plan, indent=1)}"
        wasted = [node for node in nodes(plan) if "Relation Name" in node and read(node) > TENANTS]
        assert wasted == [], f"{view} reads rows of others"


async def test_the_guard_sees_a_scan(reader: asyncpg.Connection) -> None:
    await reader.execute("set enable_indexscan = off; set enable_bitmapscan = off; set enable_indexonlyscan = off")
    text = await reader.fetchval("explain (analyze, timing off, format json) select * from grafana.ledger")
    assert any(node["Node Type"] == "Seq Scan" and read(node) > TENANTS for node in nodes(json.loads(text)[0]["Plan"]))
