"""Rollups to read from, made by SQL: the same ones for the same seed, but for their days."""

import asyncpg

from loadtests import active_weeks
from loadtests.site import Database

SEED = 20_251_117
CHUNKS = 4_883
"""Of 2,048 users: 10 million."""
DAYS = 31
SERIES = 50
LIVE_SERIES = 1_000
TENANTS = 2_000

# A week of 10 million users of whom three in eight are active a day: bits of three hashes, r1 & (r2 | r3).
ACTIVITY = """
insert into activity_day (tenant, population, feature, day, chunk, bits)
select $1, 'user', 0, current_date - d, c, r1.bits & (r2.bits | r3.bits)
from generate_series(0, 7) d cross join generate_series(0, $2::int - 1) c
cross join lateral (select pg_temp.hashed(format('%s/%s/%s/1', $3::int, d, c)) as bits) r1
cross join lateral (select pg_temp.hashed(format('%s/%s/%s/2', $3::int, d, c)) as bits) r2
cross join lateral (select pg_temp.hashed(format('%s/%s/%s/3', $3::int, d, c)) as bits) r3
"""

# 2,048 bits that look random.
HASHED = """
create function pg_temp.hashed(seed text) returns bit(2048) immutable language sql as $$
    select ('x' || string_agg(encode(sha512((seed || '/' || n)::bytea), 'hex'), '' order by n))::bit(2048)
    from generate_series(1, 4) n
$$
"""

# Requests of so many routes.
ROUTES = """
insert into series (tenant, kind, account, dims)
select $1, 'request', '', jsonb_build_object('service', 'api', 'route', '/v1/things/' || r, 'method', 'GET', 'status', '200')
from generate_series(1, $2::int) r
returning id
"""

# A month of them by days, each with a histogram of 160 bins around 60 ms.
ROUTE_DAYS = """
insert into fact_day (series, day, n, total, least, greatest, newest_us, newest_source, newest_id, newest_value, histogram)
select s.id, current_date - d, h.n, h.n * 60000000.0, 10000000, 400000000, 1, 's', 'i', 1, h.histogram
from unnest($1::bigint[]) s(id) cross join generate_series(0, $2::int - 1) d
cross join lateral (
    select sum(count) as n, array_agg(bin << 48 | count order by bin) as histogram
    from (select b::bigint as bin, (1 + 400 * exp(-((b - 1650 - s.id % 20 - d % 5) ^ 2) / 1500.0))::bigint as count
          from generate_series(1570, 1729) b) bins
) h
"""

# Values of live KPIs of one tenant, a fifth of them with a target.
LIVE = """
insert into kpi_latest (tenant, kpi, statistic, "window", dims, value, target, "limit", status, start_at, end_at, at)
select $1, 'request_latency', statistic, w, jsonb_build_object('route', '/v1/things/' || r), 100 + r,
       case when r % 5 = 0 then 500 end, case when r % 5 = 0 then 650 end, case when r % 5 = 0 then 'green' else 'none' end,
       now() - interval '1 hour', now(), now()
from unnest(array['p50', 'p95', 'p99', 'mean', 'count']) statistic cross join unnest(array['5m', '1h']) w
cross join generate_series(1, $2::int / 10) r
"""

# Many small tenants.
MANY = """
insert into tenant (name, timezone) select 'many-' || lpad(n::text, 5, '0'), 'Europe/Berlin' from generate_series(1, $1::int) n
returning id
"""

# Each has a hundred users, of whom half are active a day.
MANY_ACTIVITY = """
insert into activity_day (tenant, population, feature, day, chunk, bits)
select t, 'user', 0, current_date - d, 0, pg_temp.hashed(format('%s/%s/%s', $2::int, t, d)) & repeat('1', 100)::bit(2048)
from unnest($1::int[]) t cross join generate_series(0, 7) d
"""

# Each has requests of two statuses.
MANY_SERIES = """
insert into series (tenant, kind, account, dims)
select t, 'request', '', jsonb_build_object('service', 'api', 'route', '/v1/things', 'method', 'GET', 'status', s)
from unnest($1::int[]) t cross join unnest(array['200', '500']) s
returning id
"""

# A week of them by days.
MANY_DAYS = """
insert into fact_day (series, day, n, total, least, greatest, newest_us, newest_source, newest_id, newest_value, histogram)
select s, current_date - d, 100, 6e9, 10000000, 400000000, 1, 's', 'i', 1, array[1650::bigint << 48 | 60, 1660::bigint << 48 | 40]
from unnest($1::bigint[]) s cross join generate_series(0, 8) d
"""

# And every tenth minute of the last hour.
MANY_MINUTES = """
insert into fact_minute (series, bucket, n, total, least, greatest, newest_us, newest_source, newest_id, newest_value, histogram)
select s, date_trunc('minute', now()) - m * interval '10 minutes', 10, 6e8, 10000000, 400000000, 1, 's', 'i', 1,
       array[1650::bigint << 48 | 10]
from unnest($1::bigint[]) s cross join generate_series(0, 5) m
"""


async def make_rollups(connection: asyncpg.Connection, database: Database) -> list[int]:
    """What the reads read: all of one tenant's, and a little of many; returns the many tenants' ids."""
    tenant = database.tenants[-1]
    await connection.execute(HASHED)
    await connection.execute(ACTIVITY, tenant, CHUNKS, SEED)
    routes = [row["id"] for row in await connection.fetch(ROUTES, tenant, SERIES)]
    await connection.execute(ROUTE_DAYS, routes, DAYS)
    await connection.execute(LIVE, tenant, LIVE_SERIES)
    many = [row["id"] for row in await connection.fetch(MANY, TENANTS)]
    await connection.execute(MANY_ACTIVITY, many, SEED)
    for statement in active_weeks.FILLS:
        await connection.execute(statement, [tenant, *many])
    series = [row["id"] for row in await connection.fetch(MANY_SERIES, many)]
    await connection.execute(MANY_DAYS, series)
    await connection.execute(MANY_MINUTES, series)
    await connection.execute("vacuum analyze")
    return many
