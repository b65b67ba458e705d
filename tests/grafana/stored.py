"""Rows of some tenants in every table that the views read; each tenant's say its name wherever text may stand."""

from urllib.parse import urlsplit, urlunsplit

import asyncpg

# For each tenant without rows: a few a table, of now, that name it in accounts, sources, features, texts and documents.
# ruff: noqa: E501  # rows, not sentences
ROWS = """
create temp table of as select id, name from tenant where not exists (select from ledger where tenant = id);
insert into config_version (tenant, version, valid_from, source, parsed)
select id, 1, null, name, jsonb_build_object(
  'scorecard', jsonb_build_object(name || ' sla', jsonb_build_object('critical', array['dau'], 'rows', array['dau', 'mean_of.p95{account=' || name || '}'])),
  'funnel', jsonb_build_array(jsonb_build_object('name', name || ' way', 'steps', jsonb_build_array(jsonb_build_object('name', 'in', 'users', 'active')))),
  'tenant', jsonb_build_object('currency', 'USD'),
  'slo', jsonb_build_array(jsonb_build_object('name', name || ' api', 'kind', 'request_success', 'objective', 0.99, 'window', '30d')),
  'items', jsonb_build_object('colours', jsonb_build_object('high_high', 'red')),
  'freshness', jsonb_build_object(name || '/s', jsonb_build_object('limit_s', 60)),
  'report', jsonb_build_array(jsonb_build_object('webhook', 'https://hooks.example.com/' || name)))
from of;
update tenant set config_version = 1;
insert into api_key (id, tenant, name, hash, scopes) select 'k' || id, id, name, sha256(name::bytea), array['read'] from of;
insert into name (tenant, kind, name) select id, 'feature', name || ' feature' from of union all select id, 'signal', 'budget_cut' from of;
insert into series (tenant, kind, account, dims)
select id, k.kind, name, k.dims || jsonb_build_object('route', '/' || name) from of, (values
  ('delivery', '{"integration": "sap", "direction": "inbound", "outcome": "delivered", "on_time": "true", "limited": "true"}'::jsonb),
  ('delivery', '{"integration": "sap", "direction": "inbound", "outcome": "failed", "limited": "true"}'),
  ('delivery', '{"integration": "sap", "direction": "inbound", "outcome": "failed", "limited": "true", "excluded": "test"}'),
  ('request', '{"service": "api", "status": "200"}'), ('request', '{"service": "api", "status": "503"}'),
  ('request', '{"service": "api", "status": "timeout"}'),
  ('meter', '{"meter": "web_vital.lcp", "unit": "ms", "attribute.page": "home"}'),
  ('usage', '{"feature": "export", "property.plan": "pro"}'), ('slo', '{"slo": "api"}'),
  ('slo', '{"slo": "api", "excluded": "test"}')) as k(kind, dims);
insert into fact_minute
select s.id, date_trunc('minute', now()) - g * interval '1 minute', 2, 6000000000, 1000000000, 5000000000, 1, 's', 'i', 5000000000, null
from series s join of on of.id = s.tenant, generate_series(1, 3) g;
insert into fact_quarter
select s.id, date_bin('15 min', now(), 'epoch') - g * interval '15 min', 2, 6000000000, 1000000000, 5000000000, 1, 's', 'i', 5000000000, null
from series s join of on of.id = s.tenant, generate_series(1, 3) g;
insert into fact_day
select s.id, (now() at time zone 'America/New_York')::date - g, 2, 6000000000, 1000000000, 5000000000, 1, 's', 'i', 5000000000, null
from series s join of on of.id = s.tenant, generate_series(1, 3) g;
update fact_minute set total = 1 where series in (select id from series where kind = 'slo');
update fact_quarter set total = 1 where series in (select id from series where kind = 'slo');
update fact_day set total = 1 where series in (select id from series where kind = 'slo');
insert into kpi_latest
select id, k.kpi, k.statistic, k.win, k.dims || case when k.whose then jsonb_build_object('account', name) else '{}' end, 1, 1, 1, 2, 3,
  'green', now() - interval '1 day', now(), now()
from of, (values
  ('dau', '', '7d', '{}'::jsonb, false), ('mean_of', 'p95', '7d', '{}', true), ('health', '', '30d', '{}', true), ('churn_risk', '', '30d', '{}', true)
) as k(kpi, statistic, win, dims, whose);
insert into kpi_latest
select id, 'funnel', s, '7d', jsonb_build_object('funnel', name || ' way', 'step', 'in'), 1, 1, 1, null, null, 'none', now(), now(), now()
from of, unnest(array['', 'share', 'of_first', 'drop']) s;
insert into kpi_latest
select id, k.kpi, k.statistic, k.win, jsonb_build_object('slo', name || ' api'), k.value, 995, 1000, null, null, 'none', now(), now(), now()
from of, (values ('slo', '', '30d', 0.995), ('slo', '', '1h', 0.5), ('error_budget', '', 'day', 0.5), ('error_budget', 'spent', 'day', 0.5),
  ('error_budget', 'days_to_exhaustion', 'day', 7), ('burn_rate', '', '5m', 3), ('burn_rate', '', '72h', 0.5)) as k(kpi, statistic, win, value);
insert into scorecard_latest
select id, name || ' sla', 1, '7d', 'dau', true, 'dau', '', '{}', 'Active users', 'users', 1, 2, 3, 'green', null, now(), now() from of;
insert into kpi_history
select id, 'dau', '', 'day', now() - g * interval '1 day', jsonb_build_object('account', name), now(), 1, 1, 1, 1, 1, 'green', now()
from of, generate_series(1, 3) g;
insert into activity_day
select n.tenant, 'user', f.id, current_date - g, 0, b'1101'::bit(2048)
from name n join of on of.id = n.tenant cross join lateral (values (n.id), (0)) as f(id), generate_series(0, 3) g where n.kind = 'feature';
insert into reached
select id, 'user', 0, 'day', current_date - 3, 0, b'1101'::bit(2048) from of
union all select id, 'user', 0, 'day', current_date - 1, 0, b'1011'::bit(2048) from of;
insert into step (tenant, family, subject, time_us, source, id, account, fields)
select id, 'incident', name || ' incident', 1700000000000000 + s.at * 60000000, name || '/s', 'i' || s.at, name, s.fields from of, (values
  (0, '{"action": "opened", "severity": "P1", "title": "down"}'::jsonb), (2, '{"action": "detected"}'), (5, '{"action": "resolved"}'),
  (10, '{"action": "reopened"}'), (15, '{"action": "resolved"}')) as s(at, fields)
union all
select id, 'item', name || ' item', 1700000000000000, name || '/s', 'i', name,
  jsonb_build_object('kind', 'risk', 'status', 'open', 'title', name, 'probability', 'high', 'impact', 'high', 'due', '2020-01-01',
                     'value', 100, 'value_currency', 'USD') from of
union all
select id, 'ticket', name || ' ticket', 1700000000000000, name || '/s', 't', name,
  jsonb_build_object('action', 'opened', 'priority', 'P1', 'category', name) from of;
insert into ticket_due select id, name || ' ticket', null, null, (extract(epoch from now() + interval '1 hour') * 1000000)::bigint, 2 from of;
insert into milestone select id, 'account', '~known', name, name, 1700000000000000, name, 'i' from of;
insert into state select id, 'account', name, name, 'trait.industry', 1, name, 'i', name from of;
insert into state_history (tenant, kind, field, who, account, time_us, source, id, value)
select id, 'account', f.field, name, name, f.at, name, 'i', f.value from of, (values
  ('status', 'trial', 1), ('status', 'active', 2), ('mrr', '12300 USD', 1), ('renewal', '2020-01-01', 1), ('tier', 'starter', 1),
  ('signal.budget_cut', 'true', 1)) as f(field, value, at);
insert into ledger select id, name || '/s', current_date, 5, 2, 1 from of;
insert into source_quarter
select id, name || '/s', date_bin('15 min', now(), 'epoch'), array[(extract(epoch from now()) * 1000000)::bigint - 120000000, null] from of;
insert into dead_letter
select id, name || '/s', sha256(name::bytea), 'malformed', name, '', name || ' is no number', name::bytea, 'http', now(), 3, 'open' from of;
insert into probe_quarter
select id, name, 'web', 'default', '', date_bin('15 min', now(), 'epoch') - interval '15 min', (b'11110' || repeat('0', 895)::bit(895))::bit(900),
  (b'00011' || repeat('0', 895)::bit(895))::bit(900), repeat('0', 900)::bit(900), repeat('0', 900)::bit(900), repeat('0', 900)::bit(900), 5, 4
from of;
drop table of;
"""


async def store_tenants(connection: asyncpg.Connection, *names: str) -> None:
    """Make the tenants, and their rows."""
    await connection.execute(
        "insert into tenant (name, timezone) select name, 'America/New_York' from unnest($1::text[]) t(name)", names
    )
    await connection.execute(ROWS)
    await connection.execute("analyze")


async def as_role(url: str, role: str) -> asyncpg.Connection:
    """A session of a role in the same database."""
    parts = urlsplit(url)
    address = urlunsplit(parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}"))
    # `discard all` takes prepared statements away.
    return await asyncpg.connect(address, statement_cache_size=0)


async def views(connection: asyncpg.Connection) -> list[str]:
    """The names of all views of the schema."""
    rows = await connection.fetch(
        "select relname from pg_class where relnamespace = 'grafana'::regnamespace and relkind = 'v' order by relname"
    )
    return [row["relname"] for row in rows]
