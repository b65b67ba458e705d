"""Plan guards: no figure of SLOs scans a table that grows with time, for events, seconds and minutes alike."""

from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Question, Window, declared_of, resolve_window
from service.clock import SystemClock
from service.domain.config import TenantConfig
from tests.catalog.test_plans import plan

NOW = SystemClock().now_us()
TENANTS = 40
GUARDED = ("fact_", "probe_quarter", "source_quarter", "step", "config_version")
DECLARED = {
    "slo": [
        {"name": "on-time", "kind": "delivery_on_time", "objective": 0.95, "window": "28d"},
        {"name": "fast", "kind": "request_latency", "limit_ms": 500, "objective": 0.99, "window": "month"},
        {"name": "up", "kind": "availability", "objective": 0.999, "window": "quarter"},
        {"name": "web", "kind": "availability", "objective": 0.999, "where": {"component": ["web"], "monitor": ["one"]}},
        {"name": "fresh", "kind": "freshness", "objective": 0.9},
    ],
    "components": {"web": {"critical": True, "quorum": 2}},
    "freshness": {"/s1": {"limit_s": 600}},
}
FILL = """
insert into tenant (name, timezone) select 't' || g, 'America/New_York' from generate_series(1, 40) g;
insert into config_version (tenant, version, valid_from, source, parsed)
select t, v, case when v > 1 then now() - (30 - v) * interval '1 day' end, '', $1
from generate_series(1, 40) t, generate_series(1, 25) v;
update tenant set config_version = 25;
insert into series (tenant, kind, account, dims)
select t, 'slo', a, jsonb_build_object('slo', s)
from generate_series(1, 40) t, unnest(array['', 'a1', 'a2']) a, unnest(array['on-time', 'fast']) s;
insert into fact_minute (series, bucket, n, total)
select s.id, date_trunc('minute', now()) - g * interval '1 minute', 10, 9 from series s, generate_series(0, 100) g;
insert into fact_quarter (series, bucket, n, total)
select s.id, date_bin('15 min', now(), 'epoch') - g * interval '15 min', 10, 9 from series s, generate_series(0, 100) g;
insert into fact_day (series, day, n, total) select s.id, current_date - g, 10, 9 from series s, generate_series(0, 100) g;
insert into probe_quarter
select t, '', c, m, '', date_bin('15 min', now(), 'epoch') - q * interval '15 min', b, ~b, ~b, ~b, ~b, 1, 1
from generate_series(1, 40) t, unnest(array['web', 'api']) c, unnest(array['one', 'two']) m, generate_series(0, 300) q,
  (select repeat('1', 900)::bit(900)) as ones(b);
insert into step (tenant, family, subject, time_us, source, id, account, fields)
select t, f, 'i' || i, extract(epoch from now() - i * interval '1 hour') * 1000000, '/s', 'e' || i || a, '',
  jsonb_build_object('action', a, 'severity', 'P1', 'outage', true)
from generate_series(1, 40) t, unnest(array['incident', 'ticket']) f, generate_series(0, 60) i,
  unnest(array['opened', 'resolved', 'false_positive']) a;
insert into name (tenant, kind, name) select t, 'source', '/s' || s from generate_series(1, 40) t, generate_series(1, 5) s;
insert into source_quarter
select t, '/s' || s, date_bin('15 min', now(), 'epoch') - q * interval '15 min', array_fill(1700000000000000, array[15])
from generate_series(1, 40) t, generate_series(1, 5) s, generate_series(0, 300) q;
analyze;
"""
QUESTIONS = (
    Question(by=("slo",)),
    Question(by=("account", "slo")),
    Question(filters={"slo": ("web",), "account": ("a1",)}),
    Question(by=("slo", "account.tier")),
)


def windows() -> list[Window]:
    """Some windows of a few of the tenants."""
    return [
        resolve_window(tenant, "America/New_York", now_us=NOW, name=name, key=(tenant, name))
        for tenant in (3, 17, 20)
        for name in ("5m", "72h", "28d")
    ]


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
async def test_slos_are_read_by_key_alone(connection: asyncpg.Connection, mode: str) -> None:
    config = TenantConfig.model_validate(DECLARED)
    await connection.execute(FILL.replace("$1", await connection.fetchval("select quote_literal($1::text)", config.to_json())))
    await connection.execute(f"set plan_cache_mode = {mode}")
    declared = {tenant: declared_of(config) for tenant in range(1, TENANTS + 1)}
    kpis = Catalog.load().kpis
    for name in ("slo", "burn_rate", "error_budget"):
        for question in QUESTIONS:
            read = await plan(connection, kpis[name], windows(), question, declared)
            assert [node["Relation Name"] for node in read if scans(node)] == [], f"{name} {question}"
            assert {node["Relation Name"][:6] for node in read if node.get("Relation Name", "").startswith("fact_")}, name


def scans(node: dict[str, Any]) -> bool:
    """A sequential scan of a guarded table, or of one of its partitions, that was run and read something."""
    name = node.get("Relation Name", "")
    read = node.get("Actual Rows", 0) + node.get("Rows Removed by Filter", 0)
    return bool(node["Node Type"] == "Seq Scan" and name.startswith(GUARDED) and node["Actual Loops"] > 0 and read > 0)
