"""What of a year is kept by minutes and quarters of an hour: probes, sessions, sources, the newest facts; and items."""

import asyncpg

from loadtests.year_data import SUMS_OF_USES
from service.settings import Settings
from service.store.partitions import clock_us, ensure_partitions

COMPONENTS = 10
SOURCES = 5
QUARTER_DAYS = 30
"""Quarters of facts, sessions and sources; those of probes are kept for a year."""
MINUTES = 120
"""Of the newest facts."""

_COMPONENTS = """
insert into name (tenant, kind, name) select $1::int, 'component', 'component_' || c from generate_series(1, $2::int) c
"""
# A minute down every day, at another hour each day, and half an hour degraded each Monday.
_PROBES = """
insert into probe_quarter
  (tenant, account, component, monitor, region, bucket, up, down, degraded, planned, excluded, probes, probes_up)
select $1::int, '', 'component_' || c, 'default', '', b.bucket, ~d.down, d.down, s.slow, 0::bit(900), 0::bit(900),
       15, 15 - d.is_down
from generate_series(1, $2::int) c
cross join generate_series(date_bin('15 minutes', now(), 'epoch') - $3::int * interval '1 day',
                           date_bin('15 minutes', now(), 'epoch') - interval '15 minutes', interval '15 minutes') as b(bucket)
cross join lateral (
  select ((extract(epoch from b.bucket)::bigint / 900 + c * 7) % 97 = 0)::int as is_down, extract(isodow from b.bucket) = 1
    and extract(hour from b.bucket) = 4 as is_slow
) k
cross join lateral (select case when k.is_down = 1 then ~(~0::bit(900) >> 60) else 0::bit(900) end as down, k.is_down) d
cross join lateral (select case when k.is_slow then ~0::bit(900) else 0::bit(900) end as slow) s
"""

# Of requests, deliveries, meters and sessions: quarters of a month and minutes of two hours.
_QUARTERS = """
insert into fact_quarter (series, bucket, n, total, least, greatest, newest_us, newest_source, newest_id, newest_value, histogram)
select s.id, b.bucket, h.n, h.n * 60000000.0, 10000000, 400000000, 1, 's', 'i', 1, h.histogram
from series s
cross join generate_series(date_bin('15 minutes', now(), 'epoch') - $2::int * interval '1 day',
                           date_bin('15 minutes', now(), 'epoch'), interval '15 minutes') as b(bucket)
cross join lateral (
  select sum(c)::bigint as n, array_agg(bin << 48 | c order by bin) as histogram
  from (select bin::bigint, (1 + (s.id + bin) % 9)::bigint as c from generate_series(1640, 1659) bin) x
) h
where s.tenant = $1 and s.kind in ('request', 'delivery', 'meter', 'session')
  and (s.kind = 'request' or (hashint8(s.id * 31 + extract(epoch from b.bucket)::bigint) & 2147483647) % 8 = 0)
"""
_MINUTES = """
insert into fact_minute (series, bucket, n, total, least, greatest, newest_us, newest_source, newest_id, newest_value, histogram)
select s.id, b.bucket, h.n, h.n * 60000000.0, 10000000, 400000000, 1, 's', 'i', 1, h.histogram
from series s
cross join generate_series(date_trunc('minute', now()) - $2::int * interval '1 minute', date_trunc('minute', now()),
                           interval '1 minute') as b(bucket)
cross join lateral (
  select sum(c)::bigint as n, array_agg(bin << 48 | c order by bin) as histogram
  from (select bin::bigint, (1 + (s.id + bin) % 5)::bigint as c from generate_series(1645, 1654) bin) x
) h
where s.tenant = $1 and s.kind in ('request', 'delivery', 'meter', 'session')
"""
_USAGE_QUARTERS = """
insert into fact_quarter (series, bucket, n, total, newest_us, newest_source, newest_id, newest_value)
select s.id, b.bucket, 2, 2000000000, 1, 's', 'i', 1
from series s
cross join generate_series(date_bin('15 minutes', now(), 'epoch') - interval '27 hours',
                           date_bin('15 minutes', now(), 'epoch'), interval '15 minutes') as b(bucket)
where s.tenant = $1 and s.kind = 'usage' and (hashint8(s.id * 17 + extract(epoch from b.bucket)::bigint) & 2147483647) % 400 = 0
"""
_SESSIONS = """
insert into session_quarter (tenant, scope, account, bucket, unended, opened)
select $1::int, a.scope, a.account, b.bucket, array_fill(case when a.scope = 'all' then 5 else 0 end, array[15]),
       array_fill(case when a.scope = 'all' then 1 else 0 end, array[15])
from (select 'all' as scope, '' as account union all select 'account', 'account-' || n * 97 from generate_series(0, 49) n) a
cross join generate_series(date_bin('15 minutes', now(), 'epoch') - $2::int * interval '1 day',
                           date_bin('15 minutes', now(), 'epoch') - interval '15 minutes', interval '15 minutes') as b(bucket)
"""
_SOURCES = """
insert into source_quarter (tenant, source, bucket, newest)
select $1::int, '/service/' || n, b.bucket, array_fill((extract(epoch from b.bucket) * 1000000)::bigint, array[15])
from generate_series(1, $3::int) n
cross join generate_series(date_bin('15 minutes', now(), 'epoch') - $2::int * interval '1 day',
                           date_bin('15 minutes', now(), 'epoch') - interval '15 minutes', interval '15 minutes') as b(bucket)
"""
_ITEMS = """
insert into step (tenant, family, subject, time_us, source, id, account, fields)
select $1::int, 'item', 'X-' || n,
       (extract(epoch from now()) * 1000000)::bigint - ((n::bigint * 7919) % 365 + 1) * 86400000000 + s.after_us,
       's', 'X' || n || '/' || s.status, 'account-' || n % 5000, jsonb_build_object(
         'kind', (array['risk', 'action', 'blocker', 'opportunity'])[1 + n % 4], 'status', s.status, 'title', 'Item ' || n,
         'probability', (array['low', 'medium', 'high'])[1 + n % 3], 'impact', (array['low', 'medium', 'high'])[1 + n % 2],
         'due', (current_date + n % 90 - 45)::text)
from generate_series(1, 2000) n cross join (values ('open', 0), ('closed', 3600000000 * 20)) s(status, after_us)
where s.status = 'open' or n % 3 > 0
"""


async def make_served(connection: asyncpg.Connection, tenant: int) -> None:
    """Fill what `make_year` does not: the tables that are cut into spans of time, and tracked items."""
    await ensure_partitions(connection, now_us=await clock_us(connection), settings=Settings())
    names = (
        "insert into name (tenant, kind, name) select $1::int, 'component', 'component_' || c from generate_series(1, $2::int) c"
    )
    await connection.execute(names, tenant, COMPONENTS)
    await connection.execute(_PROBES, tenant, COMPONENTS, 365, timeout=600)
    await connection.execute(_QUARTERS, tenant, QUARTER_DAYS, timeout=600)
    await connection.execute(_MINUTES, tenant, MINUTES, timeout=600)
    await connection.execute(_USAGE_QUARTERS, tenant, timeout=600)
    for sums in SUMS_OF_USES:
        await connection.execute(sums.format(table="fact_quarter", key="bucket"), tenant, timeout=600)
    await connection.execute(_SESSIONS, tenant, QUARTER_DAYS)
    await connection.execute(_SOURCES, tenant, QUARTER_DAYS, SOURCES)
    await connection.execute(_ITEMS, tenant)
    await connection.execute("vacuum analyze", timeout=1_800)
