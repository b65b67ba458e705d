"""Plan guards: no KPI of users, components or cases scans a table that grows with what happens."""

import json
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Kpi, Question, Window, declared_of, resolve_window
from service.clock import SystemClock
from service.domain.config import TenantConfig
from tests.catalog.test_plans import nodes, plan

NOW = SystemClock().now_us()
TENANTS = 40
GUARDED = (
    "activity_day",
    "activity_week",
    "activity_half",
    "active_count",
    "reached",
    "probe_quarter",
    "session_quarter",
    "source_quarter",
    "user_feature_week",
    "tracked_delivery",
    "state_history",
    "step",
    "milestone",
    "first_reached",
)
DECLARED = {
    "features": {"f1": {"frequency": True}, "*": {"frequency": True}},
    "freshness": {"/s1": {"limit_s": 600}},
    "funnel": [
        {"name": "alone", "steps": [{"name": "known", "accounts": "known"}, {"name": "come", "users": "provisioned"}]},
        {
            "name": "f1",
            "ordered": True,
            "within": "7d",
            "steps": [{"name": "f1", "users": "milestone:first_login"}, {"name": "f2", "users": "milestone:first_value"}],
        },
    ],
}
FILL = """
insert into tenant (name, timezone) select 't' || g, 'UTC' from generate_series(1, 40) g;
insert into name (tenant, kind, name) select t, 'feature', 'f' || f from generate_series(1, 40) t, generate_series(1, 5) f;
insert into activity_day
select n.tenant, p, f, current_date - d, c, ('x' || repeat(md5(n.tenant::text || d || c), 16))::bit(2048)
from (select tenant, array_agg(id) || 0::bigint as features from name group by tenant) n, unnest(n.features) f,
  unnest(array['user', 'seat']) p, generate_series(0, 40) d, generate_series(0, 1) c;
insert into activity_week
select tenant, population, feature, day - (day - date '0001-01-01') % 7, chunk, bit_or(bits) from activity_day
group by 1, 2, 3, 4, 5;
insert into activity_half
select tenant, population, feature, day - (day - date '0001-01-01') % 7 + 3, chunk, bit_or(bits) from activity_day
where (day - date '0001-01-01') % 7 >= 3 group by 1, 2, 3, 4, 5;
insert into active_count
select tenant, feature, day, sum(bit_count(bits)) from activity_day where population = 'user' group by 1, 2, 3;
insert into app_user select t, 'u' || g, g from generate_series(1, 40) t, generate_series(0, 200) g;
insert into seat select t, 'a' || g / 64, g, g from generate_series(1, 40) t, generate_series(0, 200) g;
insert into seat_block select t, b, 'a' || b, 64 from generate_series(1, 40) t, generate_series(0, 3) b;
insert into state_history (tenant, kind, field, who, account, time_us, source, id, value)
select t, 'user', 'status', 'u' || g, '', 1700000000000000 + g, '/s', 'e' || g, 'provisioned'
from generate_series(1, 40) t, generate_series(0, 300) g;
insert into milestone (tenant, kind, milestone, who, account, time_us, source, id)
select t, 'user', m, 'u' || g, '', extract(epoch from now() - g * interval '1 hour') * 1000000, '/s', 'e' || g
from generate_series(1, 40) t, generate_series(0, 300) g, unnest(array['first_login', 'first_value', 'trained']) m;
insert into name (tenant, kind, name)
select t, 'milestone', m from generate_series(1, 40) t, unnest(array['first_login', 'first_value', 'trained']) m;
insert into first_reached
select m.tenant, n.id, u.ordinal, m.time_us, '', m.source, m.id from milestone m
join name n on n.tenant = m.tenant and n.kind = 'milestone' and n.name = m.milestone
join app_user u on u.tenant = m.tenant and u.user_id = m.who;
insert into reached (tenant, population, what, span, since, chunk, bits)
select t, p, w.what, s, date_trunc(s, current_date - d)::date, c, ('x' || repeat(md5(t::text || d || c), 16))::bit(2048)
from generate_series(1, 40) t, unnest(array['user', 'seat']) p, unnest(array['day', 'month']) s, generate_series(0, 40) d,
  generate_series(0, 1) c, lateral (
    select 0 as what union all select -1
    union all select id from name where tenant = t and kind = 'milestone' and name <> 'trained'
  ) w
on conflict do nothing;
insert into probe_quarter
select t, '', c, m, '', date_bin('15 min', now(), 'epoch') - q * interval '15 min',
  b, ~b, ~b, ~b, ~b, 1, 1
from generate_series(1, 40) t, unnest(array['web', 'api']) c, unnest(array['one', 'two']) m, generate_series(0, 300) q,
  (select repeat('1', 900)::bit(900)) as ones(b);
insert into step (tenant, family, subject, time_us, source, id, account, fields)
select t, f, 'i' || i, extract(epoch from now() - i * interval '1 hour') * 1000000, '/s', 'e' || i || a, '',
  jsonb_build_object('action', a, 'severity', 'P1', 'outage', true)
from generate_series(1, 40) t, unnest(array['incident', 'ticket']) f, generate_series(0, 60) i,
  unnest(array['opened', 'detected', 'resolved', 'false_positive']) a;
insert into milestone (tenant, kind, milestone, who, account, time_us, source, id)
select t, 'account', '~known', 'a' || a, 'a' || a, 1700000000000000, '/s', 'k'
from generate_series(1, 40) t, generate_series(0, 30) a;
insert into name (tenant, kind, name) select t, 'source', '/s' || s from generate_series(1, 40) t, generate_series(1, 5) s;
insert into source_quarter
select t, '/s' || s, date_bin('15 min', now(), 'epoch') - q * interval '15 min', array_fill(1700000000000000, array[15])
from generate_series(1, 40) t, generate_series(1, 5) s, generate_series(0, 300) q;
insert into session_quarter
select t, c.scope, c.account, date_bin('15 min', now(), 'epoch') - q * interval '15 min',
  array_fill(1, array[15]), array_fill(0, array[15])
from generate_series(1, 40) t, generate_series(0, 300) q,
  (values ('all', ''), ('account', 'a1'), ('account', 'a2')) as c(scope, account);
insert into user_feature_week
select n.tenant, f, date_trunc('week', current_date)::date - 7 * w, 'a' || u / 64, u, 7000000000
from (select tenant, array_agg(id) || 0::bigint as features from name where kind = 'feature' group by tenant) n,
  unnest(n.features) f, generate_series(0, 6) w, generate_series(0, 60) u;
insert into tracked_delivery
select t, 'd' || d, extract(epoch from now() - d * interval '1 hour') * 1000000, '/s', 'e', 'a1', 'sap', 'inbound', 60000000000,
  false, case when d % 10 > 0 then extract(epoch from now() - d * interval '59 minutes') * 1000000 end
from generate_series(1, 40) t, generate_series(0, 600) d;
analyze;
"""


@pytest.fixture(scope="module")
def kpis() -> list[Kpi]:
    return [kpi for kpi in Catalog.load().kpis.values() if kpi.head.facts is None and kpi.sql]


def windows(kpi: Kpi) -> list[Window]:
    """A short and a long window of a few of the tenants."""
    names = [name for name in ("1h", "7d", "1d", "28d") if kpi.takes(name)][:2]
    return [resolve_window(tenant, "UTC", now_us=NOW, name=name, key=(tenant, name)) for tenant in (3, 17, 20) for name in names]


def questions(kpi: Kpi) -> list[Question]:
    """The whole, each split alone, and one account."""
    needed = dict.fromkeys(kpi.head.required, ("f1",))
    splits = [name.replace("*", "region") for name in kpi.head.dimensions]
    asked = [Question(filters=needed), *(Question((name,), needed) for name in splits)]
    asked += [Question(kpi.head.required)] if kpi.head.required else []
    if "account" in kpi.head.dimensions:
        asked += [Question((name,), needed) for name in ("account.region", "account.tier", "band.mrr", "band.meter:seats")]
    return [*asked, Question(filters=needed | {"account": ("a1",)}), Question(filters=needed | {"account": ("a1", "a2")})]


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
async def test_sets_states_and_steps_are_read_by_key_alone(connection: asyncpg.Connection, kpis: list[Kpi], mode: str) -> None:
    await connection.execute(FILL)
    await connection.execute(f"set plan_cache_mode = {mode}")
    declared = {tenant: declared_of(TenantConfig.model_validate(DECLARED)) for tenant in range(1, TENANTS + 1)}
    for kpi in kpis:
        for question in questions(kpi):
            read = await plan(connection, kpi, windows(kpi), question, declared)
            assert [node["Relation Name"] for node in read if scans(node)] == [], f"{kpi.id} {question}"


def scans(node: dict[str, Any]) -> bool:
    """A sequential scan of a guarded table, or of one of its partitions, that was run and read something."""
    name = node.get("Relation Name", "")
    read = node.get("Actual Rows", 0) + node.get("Rows Removed by Filter", 0)
    return bool(node["Node Type"] == "Seq Scan" and name.startswith(GUARDED) and node["Actual Loops"] > 0 and read > 0)


async def test_the_guard_sees_a_scan_of_each_table(connection: asyncpg.Connection) -> None:
    await connection.execute(FILL)
    for table in GUARDED:
        text = await connection.fetchval(f"explain (analyze, format json) select count(*) from {table} where tenant::text <> ''")
        assert any(scans(node) for node in nodes(json.loads(text)[0]["Plan"])), table
