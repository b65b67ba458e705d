"""Plan guards: no KPI of facts ever scans a fact table, whatever the planner thinks of its parameters."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Declared, Kpi, Question, Window, resolve_window, run
from service.catalog.arguments import arguments
from service.catalog.paging import is_sliced
from service.catalog.question import Slice
from service.catalog.statement import statement
from service.clock import SystemClock

NOW = SystemClock().now_us()
TENANTS = 12
FILL = """
insert into tenant (name, timezone) select 't' || g, 'America/New_York' from generate_series(1, 12) g;
insert into series (tenant, kind, account, dims)
select t.id, kind, '', jsonb_build_object('service', 's' || g % 3, 'status', '200', 'integration', 'i', 'outcome', 'delivered',
                                          'meter', 'm', 'feature', 'f', 'route', 'r' || g)
from tenant t, unnest(array['request', 'delivery', 'meter', 'usage']) kind, generate_series(1, 5) g;
insert into fact_minute
select s.id, date_trunc('minute', now()) - g * interval '1 minute', 10, 1e9, 1e7, 1e9, 1, 's', 'i', 1, array[1::bigint << 48 | 10]
from series s, generate_series(0, 100) g;
insert into fact_quarter
select s.id, date_bin('15 min', now(), 'epoch') - g * interval '15 min',
       10, 1e9, 1e7, 1e9, 1, 's', 'i', 1, array[1::bigint << 48 | 10]
from series s, generate_series(0, 100) g;
insert into fact_day
select s.id, current_date - g, 10, 1e9, 1e7, 1e9, 1, 's', 'i', 1, array[1::bigint << 48 | 10]
from series s, generate_series(0, 100) g;
analyze;
"""
ACME = {"account": ("acme", "umbrella")}
QUESTIONS = (
    Question(),
    Question(by=("account",)),
    Question(filters=ACME),
    Question(by=("account", "feature"), filters=ACME, slice=Slice("acme", "v")),
    Question(by=("account", "status"), filters=ACME, slice=Slice("acme")),
)


@pytest.fixture(scope="module")
def kpis() -> list[Kpi]:
    return [kpi for kpi in Catalog.load().kpis.values() if kpi.head.facts is not None]


def windows(tenants: int) -> list[Window]:
    return [
        resolve_window(tenant, "America/New_York", now_us=NOW, name=name, key=(tenant, name))
        for tenant in range(1, tenants + 1)
        for name in ("5m", "1h", "24h", "7d", "28d")
    ]


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
async def test_facts_are_read_by_key_alone(connection: asyncpg.Connection, kpis: list[Kpi], mode: str) -> None:
    await connection.execute(FILL)
    await connection.execute(f"set plan_cache_mode = {mode}")
    for kpi in kpis:
        for question in QUESTIONS:
            if question.slice and not (all(kpi.splits_by(name) for name in question.by) and is_sliced(kpi, question)):
                continue
            asked = replace(question, filters={**question.filters, **dict.fromkeys(kpi.head.required, ("m",))})
            scanned = [node for node in await plan(connection, kpi, windows(TENANTS), asked) if is_scan_of_facts(node)]
            assert scanned == [], f"{kpi.id} {question}"


async def test_the_guard_sees_a_scan(connection: asyncpg.Connection) -> None:
    await connection.execute(FILL)
    for table in ("fact_minute", "fact_quarter", "fact_day"):
        text = await connection.fetchval(f"explain (analyze, format json) select sum(n) from {table}")
        assert any(is_scan_of_facts(node) for node in nodes(json.loads(text)[0]["Plan"]))


async def test_many_tenants_and_windows_are_answered_at_once(connection: asyncpg.Connection, kpis: list[Kpi]) -> None:
    await connection.execute(FILL)
    asked = windows(TENANTS)
    values = await run(connection, next(kpi for kpi in kpis if kpi.id == "requests"), asked, Question(statistics=("",)))
    assert {value.window for value in values} == {window.key for window in asked}
    assert len(values) == len(asked)
    assert {value.value for value in values if value.window == (3, "7d")} == {5 * 7 * 10}
    assert {value.tenant for value in values} == set(range(1, TENANTS + 1))


async def plan(
    connection: asyncpg.Connection,
    kpi: Kpi,
    asked: list[Window],
    question: Question,
    declared: Mapping[int, Declared] | None = None,
) -> list[dict[str, Any]]:
    """All nodes of the plan that Postgres runs."""
    by = (*question.by, *kpi.head.apart)
    made = statement(kpi, by, question.filtered)
    bound = arguments(kpi, asked, question, by, declared or {}, frozenset(made.parameters))
    literals = [
        await connection.fetchval(f"select quote_nullable($1::{_type(made.text, number)}::text)", bound[name])
        for number, name in enumerate(made.parameters, start=1)
    ]
    await connection.execute(f"prepare asked as {made.text}")
    text = await connection.fetchval(f"explain (analyze, timing off, format json) execute asked ({', '.join(literals)})")
    await connection.execute("deallocate asked")
    return list(nodes(json.loads(text)[0]["Plan"]))


def _type(text: str, number: int) -> str:
    found = re.search(rf"\${number}::([a-z]+(\[\])?)", text)
    assert found is not None
    return found[1]


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from nodes(child)


def is_scan_of_facts(node: dict[str, Any]) -> bool:
    """A sequential scan that read more than a page of a fact table (one of an empty partition costs nothing)."""
    read = node.get("Actual Rows", 0) + node.get("Rows Removed by Filter", 0)
    name = node.get("Relation Name", "")
    return bool(node["Node Type"] == "Seq Scan" and name.startswith("fact_") and node["Actual Loops"] > 0 and read > 0)
