"""Weeks of activity, their halves and numbers of users by day, as flushes keep them, of days stored without a flush."""

from typing import Final

WEEKS: Final = """
insert into activity_week as w (tenant, population, feature, week, chunk, bits)
select k.*, a.chunk, a.bits
from (
  select distinct tenant, population, feature, day - (day - date '0001-01-01') % 7 as week from activity_day
  where tenant = any($1::int[]) order by 1, 2, 3, 4
) k
cross join lateral (
  select chunk, bit_or(bits) as bits from activity_day
  where tenant = k.tenant and population = k.population and feature = k.feature and day between k.week and k.week + 6
  group by chunk order by chunk
) a
on conflict (tenant, population, feature, week, chunk) do update set bits = w.bits | excluded.bits
"""
HALVES: Final = """
insert into activity_half as h (tenant, population, feature, half, chunk, bits)
select k.*, a.chunk, a.bits
from (
  select distinct tenant, population, feature, day - (day - date '0001-01-01') % 7 + 3 as half from activity_day
  where tenant = any($1::int[]) and (day - date '0001-01-01') % 7 >= 3 order by 1, 2, 3, 4
) k
cross join lateral (
  select chunk, bit_or(bits) as bits from activity_day
  where tenant = k.tenant and population = k.population and feature = k.feature and day between k.half and k.half + 3
  group by chunk order by chunk
) a
on conflict (tenant, population, feature, half, chunk) do update set bits = h.bits | excluded.bits
"""
COUNTS: Final = """
insert into active_count (tenant, feature, day, n)
select tenant, feature, day, sum(bit_count(bits)) from activity_day
where tenant = any($1::int[]) and population = 'user' group by 1, 2, 3 order by 1, 2, 3
on conflict (tenant, feature, day) do update set n = excluded.n
"""
FILLS: Final = (WEEKS, HALVES, COUNTS)
"""All of them."""
