"""Plan guards: no KPI of support scans the tickets or their steps."""

import asyncpg
import pytest

from service.catalog import Catalog, Question, declared_of, resolve_window
from service.clock import SystemClock
from service.domain.config import TenantConfig
from tests.catalog.test_plans import plan

NOW = SystemClock().now_us()
FILL = """
insert into tenant (name, timezone) select 't' || g, 'UTC' from generate_series(1, 20) g;
insert into step (tenant, family, subject, time_us, source, id, account, fields)
select t, 'ticket', 'T' || i, extract(epoch from now() - i * interval '3 hours') * 1000000, '/s', 'e' || i || a, 'a1',
  jsonb_build_object('action', a, 'priority', 'P1')
from generate_series(1, 20) t, generate_series(0, 200) i, unnest(array['opened', 'first_response', 'resolved']) a;
analyze;
"""
KPIS = (
    "tickets",
    "open_tickets",
    "first_response_time",
    "resolution_time",
    "ticket_escalation",
    "support_sla",
    "support_credits",
)


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
async def test_tickets_are_read_by_key_alone(connection: asyncpg.Connection, mode: str) -> None:
    await connection.execute(FILL)
    await connection.execute(f"set plan_cache_mode = {mode}")
    declared = {tenant: declared_of(TenantConfig()) for tenant in range(1, 21)}
    catalog = Catalog.load()
    for name in KPIS:
        kpi = catalog.kpis[name]
        window = "7d" if kpi.takes("7d") else "month"
        windows = [resolve_window(tenant, "UTC", now_us=NOW, name=window, key=tenant) for tenant in (3, 17)]
        for question in (Question(), Question(("account",)), Question(("tier",), {"account": ("a1",)})):
            read = await plan(connection, kpi, windows, question, declared)
            scanned = [node for node in read if node["Node Type"] == "Seq Scan" and node["Actual Rows"] > 0]
            assert [node["Relation Name"] for node in scanned if node["Relation Name"] in {"ticket", "step"}] == [], (
                f"{name} {question}"
            )
