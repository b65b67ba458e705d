"""Active users between any two days are the same by weeks, halves of weeks and the days at their edges as by days alone."""

import asyncpg

from loadtests import active_weeks
from service.catalog.weeks import active_rows
from tests.catalog.rollups import make_tenant

# Each day has users of its own, so that none can stand for another.
FILL = """
insert into activity_day (tenant, population, feature, day, chunk, bits)
select $1, 'user', f, date '2025-12-20' + d, c, repeat(lpad('1', d + 1, '0') || repeat('0', 63 - d), 32)::bit(2048)
from generate_series(0, 40) d, generate_series(0, 2) c, unnest(array[0, 7, 8]) f where (d + c + f) % 11 <> 0
"""
COMPARED = """
select w.first_day, w.last_day, w.features, a.sets is not distinct from b.sets as is_same, cardinality(b.sets) as chunks
from (
  select a::date as first_day, b::date as last_day, f::bigint[] as features
  from generate_series(timestamp '2025-12-20', timestamp '2026-01-29', interval '1 day') a
  cross join lateral generate_series(a, timestamp '2026-01-29', interval '1 day') b
  cross join unnest(array['{{0}}', '{{7,8}}']) f
) w
cross join lateral (
  select array_agg(bits order by chunk) as sets from (select chunk, bit_or(bits) as bits from (
    {rows}
  ) r group by chunk) u
) a
cross join lateral (
  select array_agg(bits order by chunk) as sets from (
    select chunk, bit_or(bits) as bits from activity_day
    where tenant = $1 and feature = any(w.features) and day between w.first_day and w.last_day group by chunk
  ) u
) b
"""


async def test_every_window_has_the_users_of_its_days_and_no_others(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot")
    await connection.execute(FILL, tenant)
    for statement in active_weeks.FILLS:
        await connection.execute(statement, [tenant])
    rows = active_rows("w.first_day", "w.last_day", "any(w.features)").replace("{read}", "tenant = $1 and population = 'user'")
    compared = await connection.fetch(COMPARED.format(rows=rows), tenant)
    assert len(compared) == 2 * 41 * 42 // 2
    assert [each for each in compared if not each["is_same"]] == []
    assert {each["chunks"] for each in compared} >= {2, 3}
