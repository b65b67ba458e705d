"""A year of one large tenant, made by SQL: a million users in 5,000 accounts, 50 features, every family."""

import asyncpg
from asyncpg.types import BitString

from loadtests import active_weeks, first_days, first_reached
from loadtests.reads_data import HASHED

SEED = 20_251_124
USERS = 1_000_000
ACCOUNTS = 5_000
FEATURES = 50
DAYS = 365
PATTERNS = 512
"""Different bits of a density; which of them a day and chunk has, a hash says."""
BLOCKS_AN_ACCOUNT = 4
SEATS_A_BLOCK = 50
_TAKEN = BitString.from_int(int(("1" * SEATS_A_BLOCK + "0" * (64 - SEATS_A_BLOCK)) * 32, 2), 2_048)
"""The seats of a chunk that somebody has."""

# Patterns of bits by how many of 16 users they show.
_POOL = """
create temp table pool as
select n, e as density, case e
         when 6 then a.bits & (b.bits | c.bits) when 4 then a.bits & b.bits when 2 then a.bits & b.bits & c.bits
         else a.bits & b.bits & c.bits & d.bits end as bits
from generate_series(0, $1::int - 1) n cross join unnest(array[6, 4, 2, 1]) e
cross join lateral (select pg_temp.hashed(format('%s/%s/%s/1', $2::int, n, e)) as bits) a
cross join lateral (select pg_temp.hashed(format('%s/%s/%s/2', $2::int, n, e)) as bits) b
cross join lateral (select pg_temp.hashed(format('%s/%s/%s/3', $2::int, n, e)) as bits) c
cross join lateral (select pg_temp.hashed(format('%s/%s/%s/4', $2::int, n, e)) as bits) d
"""

_FEATURES = """
insert into name (tenant, kind, name)
select $1::int, 'feature', 'feature_' || lpad(f::text, 2, '0') from generate_series(1, $2::int) f
returning id
"""

# Users come over the year; a twentieth of them never used anything.
_USERS = """
insert into app_user (tenant, user_id, ordinal) select $1::int, 'user-' || o, o from generate_series(0, $2::int - 1) o
"""
_FIRST_DAYS = """
create temporary table first_days as
select tenant, 'user' as population, ordinal, current_date - ((ordinal::bigint * 7919) % $2::int)::int as first_day
from app_user where tenant = $1 and ordinal % 20 <> 7
union all
select tenant, 'seat', ordinal, current_date - ((user_ordinal::bigint * 7919) % $2::int)::int from seat where tenant = $1
"""

# Seats: blocks of 64 an account, of which 50 are taken.
_BLOCKS = """
insert into seat_block (tenant, block, account, used)
select $1::int, b, 'account-' || b / $3::int, $4::int from generate_series(0, $2::int * $3::int - 1) b
"""
_SEATS = """
insert into seat (tenant, account, user_ordinal, ordinal)
select $1::int, 'account-' || b / $3::int, b * $4::int + s, b * 64 + s
from generate_series(0, $2::int * $3::int - 1) b cross join generate_series(0, $4::int - 1) s
"""

# Who was active on a day: of any feature three in eight, of each feature one in four to one in sixteen. Day after day, each in
# the order of its keys: so a day's rows come to lie together, as flushes write them.
_ACTIVITY = """
insert into activity_day (tenant, population, feature, day, chunk, bits)
select $1::int, a.population, f.id, current_date - $3::int, c, case a.population when 'seat' then p.bits & $7::bit(2048) else p.bits end
from unnest($4::text[], $5::int[]) as a(population, chunks) cross join unnest($2::bigint[]) with ordinality f(id, place)
cross join lateral generate_series(0, a.chunks - 1) c
join pool p on p.density = case when f.id = 0 then 6 when f.place % 3 = 0 then 4 when f.place % 3 = 1 then 2 else 1 end
  and p.n = (hashint8(f.id * 7 + $3::int * 104729 + c * 31) & 2147483647) % $6::int
order by a.population desc, f.id, c
"""

_USER_STATUS = """
insert into state_history (tenant, kind, field, who, account, time_us, source, id, value)
select $1::int, 'user', 'status', user_id, '', (extract(epoch from now()) * 1000000)::bigint - (1 + (ordinal * 7919::bigint) % 365) * 86400000000,
       's', 'p' || ordinal, 'provisioned'
from app_user where tenant = $1 order by 6
"""
_USER_MILESTONES = """
insert into milestone (tenant, kind, milestone, who, account, time_us, source, id)
select $1::int, 'user', m.name, user_id, 'account-' || ordinal / 200,
       (extract(epoch from first_day) + 30000 + m.after_s + ordinal % 4000) * 1000000, 's', m.name || ordinal
from app_user join first_days f using (tenant, ordinal) cross join (values ('first_login', 0, 1), ('first_value', 500, 2), ('training_completed', 90000, 4)) m(name, after_s, each)
where tenant = $1 and f.population = 'user' and ordinal % m.each = 0 order by 6
"""
_MILESTONE_NAMES = (
    "insert into name (tenant, kind, name) select distinct tenant, 'milestone', milestone from milestone where tenant = $1"
)
_REGIONS = """
insert into segment (tenant, dimension, value, chunk, bits)
select $1::int, 'region', r.value, c, pg_temp.hashed('region' || r.place || '/' || c) & ~coalesce(o.bits, repeat('0', 2048)::bit(2048))
from generate_series(0, $2::int - 1) c cross join (values ('eu', 1), ('us', 2)) r(value, place)
left join lateral (select pg_temp.hashed('region1/' || c) as bits where r.place = 2) o on true
"""

# What accounts tell of themselves: once, and what they pay each month anew.
_ACCOUNTS = """
insert into state_history (tenant, kind, field, who, account, time_us, source, id, value)
select $1::int, 'account', v.field, 'account-' || a, 'account-' || a,
       (extract(epoch from now()) * 1000000)::bigint - (366 - a % 200)::bigint * 86400000000, 's', v.field || a, v.value
from generate_series(0, $2::int - 1) a
cross join lateral (values
  ('status', case when a % 11 = 0 then 'trial' else 'active' end),
  ('tier', (array['enterprise', 'mid_market', 'starter'])[1 + a % 3]),
  ('licensed_users', (150 + a % 100)::text), ('contract_start', (current_date - 300 - a % 200)::text),
  ('contract_end', (current_date + a % 400)::text)) v(field, value)
union all
select $1::int, 'account', 'mrr', 'account-' || a, 'account-' || a,
       (extract(epoch from now()) * 1000000)::bigint - (m * 30 + a % 28 + 1)::bigint * 86400000000, 's', 'm' || m || '/' || a,
       (50000 + (a * 7919 + m * 104729) % 1500000) || ' USD'
from generate_series(0, $2::int - 1) a cross join generate_series(0, 11) m
union all
select $1::int, 'account', 'status', 'account-' || a, 'account-' || a,
       (extract(epoch from now()) * 1000000)::bigint - (a % 330)::bigint * 86400000000, 's', 'c' || a, 'churned'
from generate_series(0, $2::int - 1) a where a % 37 = 0
"""
_ACCOUNT_MILESTONES = """
insert into milestone (tenant, kind, milestone, who, account, time_us, source, id)
select $1::int, 'account', m.name, 'account-' || a, 'account-' || a,
       (extract(epoch from now()) * 1000000)::bigint - ((366 - a % 200)::bigint * 24 - m.after_h) * 3600000000, 's', m.name || a
from generate_series(0, $2::int - 1) a
cross join (values ('~known', 0, 1), ('invited', 1, 1), ('activated', 36, 2), ('go_live', 100, 3)) m(name, after_h, each)
where a % m.each = 0
"""

# Cases: each opened, answered and ended.
_TICKETS = """
insert into step (tenant, family, subject, time_us, source, id, account, fields)
select $1::int, 'ticket', 'T-' || n, (extract(epoch from now()) * 1000000)::bigint
         - ((n::bigint * 7919) % $3::int + 1) * 86400000000 + s.after_s::bigint * (1 + n % 9) * 1000000, 's', 'T' || n || '/' || s.action,
       'account-' || n % $2::int,
       jsonb_build_object('action', s.action) || case when s.action = 'opened' then jsonb_build_object(
         'priority', 'P' || n % 4, 'category', (array['bug', 'how_to', 'billing', 'feature_request'])[1 + n % 4]) else '{}' end
from generate_series(1, 200000) n cross join (values ('opened', 0), ('first_response', 1200), ('resolved', 20000)) s(action, after_s)
"""
_INCIDENTS = """
insert into step (tenant, family, subject, time_us, source, id, account, fields)
select $1::int, 'incident', 'I-' || n, (extract(epoch from now()) * 1000000)::bigint
         - ((n::bigint * 7919) % $2::int + 1) * 86400000000 + s.after_s::bigint * (1 + n % 9) * 1000000, 's', 'I' || n || '/' || s.action, '',
       jsonb_build_object('action', s.action) || case when s.action = 'opened' then jsonb_build_object(
         'severity', 'P' || n % 4, 'service', 'api', 'kind', 'software') else '{}' end
from generate_series(1, 2000) n
cross join (values ('opened', 0), ('detected', 200), ('acknowledged', 400), ('resolved', 3000)) s(action, after_s)
"""
_ANSWERS = """
insert into step (tenant, family, subject, time_us, source, id, account, fields)
select $1::int, 'feedback', 'user-' || n * 4, (extract(epoch from now()) * 1000000)::bigint - ((n::bigint * 7919) % $3::int + 1) * 86400000000,
       's', 'F' || n, 'account-' || n % $2::int, jsonb_build_object('action', 'responded', 'survey', k.survey, 'scale', k.scale, 'score', n % k.scale)
from generate_series(1, 100000) n cross join lateral (
  select (array['nps', 'csat'])[1 + n % 2] as survey, (array[10, 5])[1 + n % 2] as scale) k
"""
_RECOVERIES = """
insert into step (tenant, family, subject, time_us, source, id, account, fields)
select $1::int, 'recovery', 'R-' || n, (extract(epoch from now()) * 1000000)::bigint
         - ((n::bigint * 7919) % $3::int + 1) * 86400000000 + s.after_s::bigint * (1 + n % 9) * 1000000, 's', 'R' || n || '/' || s.action,
       'account-' || n % $2::int, jsonb_build_object('action', s.action) || case s.action
         when 'recovered' then jsonb_build_object('revenue', 5000 + n % 90000, 'revenue_currency', 'USD') else '{}' end
from generate_series(1, 50000) n cross join (values ('at_risk', 0), ('contacted', 9000), ('recovered', 40000)) s(action, after_s)
where s.action <> 'recovered' or n % 4 = 0
"""

# Uses by account and feature (one day in 25), requests, deliveries, meters and sessions by day.
_USAGE_SERIES = """
insert into series (tenant, kind, account, dims)
select $1::int, 'usage', 'account-' || a, jsonb_build_object('feature', 'feature_' || lpad(f::text, 2, '0'))
from generate_series(0, $2::int - 1) a cross join generate_series(1, $3::int) f
"""
_USAGE_DAYS = """
insert into fact_day (series, day, n, total, newest_us, newest_source, newest_id, newest_value)
select s.id, current_date - d, 20, 20000000000, 1, 's', 'i', 1
from series s cross join generate_series(0, $2::int - 1) d
where s.tenant = $1 and s.kind = 'usage' and (hashint8(s.id * 31 + d) & 2147483647) % 25 = 0
"""
# The same of all accounts together, and of each account whatever the feature, as flushes keep it.
_NAMED_SERIES = """
insert into series (tenant, kind, account, dims) select distinct tenant, 'usage_named', '', dims from series where tenant = $1 and kind = 'usage'
"""
_ACCOUNT_SERIES = """
insert into series (tenant, kind, account, dims) select distinct tenant, 'usage_account', account, '{}'::jsonb from series where tenant = $1 and kind = 'usage'
"""
_NAMED_FACTS = """
insert into {table} (series, {key}, n, total)
select w.id, f.{key}, sum(f.n), sum(f.total)
from series s
join series w on w.tenant = s.tenant and w.kind = 'usage_named' and w.dims = s.dims
join {table} f on f.series = s.id
where s.tenant = $1 and s.kind = 'usage' group by 1, 2 order by 1, 2
"""
_ACCOUNT_FACTS = """
insert into {table} (series, {key}, n, total)
select w.id, f.{key}, sum(f.n), sum(f.total)
from series s
join series w on w.tenant = s.tenant and w.kind = 'usage_account' and w.account = s.account
join {table} f on f.series = s.id
where s.tenant = $1 and s.kind = 'usage' group by 1, 2 order by 2, 1
"""
_USES_BY_DAY = """
insert into use_day (tenant, day, account, feature, total)
select s.tenant, f.day, s.account, s.dims ->> 'feature', sum(f.total)
from series s join fact_day f on f.series = s.id
where s.tenant = $1 and s.kind = 'usage' group by 1, 2, 3, 4 order by 1, 2, 3, 4
"""
SUMS_OF_USES = (_NAMED_FACTS, _ACCOUNT_FACTS)
"""To be formatted with a table and its key."""
_SERVED_SERIES = """
insert into series (tenant, kind, account, dims)
select $1::int, 'request', '', jsonb_build_object('service', 'api', 'route', '/v1/things/' || r, 'method', 'GET', 'status', s)
from generate_series(1, 50) r cross join unnest(array['200', '404', '500']) s
union all
select $1::int, 'delivery', 'account-' || a * 97, jsonb_build_object('integration', 'partner_' || i, 'direction', 'inbound', 'outcome', 'delivered', 'on_time', o, 'limited', 'true')
from generate_series(0, 49) a cross join generate_series(1, 10) i cross join unnest(array['true', 'false']) o
union all
select $1::int, 'meter', '', jsonb_build_object('meter', m, 'unit', 's') from unnest(array['web_vital.lcp', 'page_load.dashboard']) m
union all
select $1::int, 'meter', '', jsonb_build_object('meter', m, 'currency', 'USD') from unnest(array['cost.acquisition', 'cost.goods_sold', 'cash.balance']) m
union all
select $1::int, 'session', 'account-' || a * 97, '{}' from generate_series(0, 49) a
"""
_SERVED_DAYS = """
insert into fact_day (series, day, n, total, least, greatest, newest_us, newest_source, newest_id, newest_value, histogram)
select s.id, current_date - d, h.n, h.n * 60000000.0, 10000000, 400000000, 1, 's', 'i', 1, h.histogram
from series s cross join generate_series(0, $2::int - 1) d
cross join lateral (
    select sum(count) as n, array_agg(bin << 48 | count order by bin) as histogram
    from (select b::bigint as bin, (1 + 400 * exp(-((b - 1650 - s.id % 20 - d % 5) ^ 2) / 1500.0))::bigint as count
          from generate_series(1610, 1689) b) bins) h
where s.tenant = $1 and s.kind not in ('usage', 'usage_named', 'usage_account')
"""


async def make_year(connection: asyncpg.Connection, tenant: int) -> None:
    """Fill a tenant, but for what `make_served` does."""
    user_chunks, seat_chunks = -(-USERS // 2_048), -(-ACCOUNTS * BLOCKS_AN_ACCOUNT * 64 // 2_048)
    await connection.execute("set synchronous_commit = off")
    await connection.execute("set work_mem = '256MB'")
    await connection.execute(HASHED)
    await connection.execute(_POOL, PATTERNS, SEED)
    features = [0, *(row["id"] for row in await connection.fetch(_FEATURES, tenant, FEATURES))]
    await connection.execute(_USERS, tenant, USERS)
    await connection.execute(_BLOCKS, tenant, ACCOUNTS, BLOCKS_AN_ACCOUNT, SEATS_A_BLOCK)
    await connection.execute(_SEATS, tenant, ACCOUNTS, BLOCKS_AN_ACCOUNT, SEATS_A_BLOCK)
    await connection.execute(_FIRST_DAYS, tenant, DAYS)
    for ago in reversed(range(DAYS)):
        populations = ["user", "seat"], [user_chunks, seat_chunks]
        await connection.execute(_ACTIVITY, tenant, features, ago, *populations, PATTERNS, _TAKEN, timeout=600)
    for statement in active_weeks.FILLS:
        await connection.execute(statement, [tenant], timeout=1_800)
    for statement in (_USER_STATUS, _USER_MILESTONES):
        await connection.execute(statement, tenant)
    await connection.execute(_MILESTONE_NAMES, tenant)
    await connection.execute(first_reached.FILL, tenant, timeout=600)
    # In the order in which it is read.
    for statement in (first_days.days("first_days"), first_days.MONTHS):
        await connection.execute(statement, timeout=1_800)
    await connection.execute("cluster reached using reached_pkey", timeout=1_800)
    await connection.execute(_REGIONS, tenant, user_chunks)
    for statement in (_ACCOUNTS, _ACCOUNT_MILESTONES):
        await connection.execute(statement, tenant, ACCOUNTS)
    for statement in (_TICKETS, _ANSWERS, _RECOVERIES):
        await connection.execute(statement, tenant, ACCOUNTS, DAYS)
    await connection.execute(_INCIDENTS, tenant, DAYS)
    await connection.execute(_USAGE_SERIES, tenant, ACCOUNTS, FEATURES)
    await connection.execute(_USAGE_DAYS, tenant, DAYS)
    for statement in (
        _NAMED_SERIES,
        _ACCOUNT_SERIES,
        *(sums.format(table="fact_day", key="day") for sums in SUMS_OF_USES),
        _USES_BY_DAY,
    ):
        await connection.execute(statement, tenant, timeout=600)
    await connection.execute(_SERVED_SERIES, tenant)
    await connection.execute(_SERVED_DAYS, tenant, DAYS)
