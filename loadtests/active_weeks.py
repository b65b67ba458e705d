"""Weeks of activity, their halves and numbers of users by day, as flushes keep them, of days stored without a flush."""

from typing import Final

_WEEKDAY: Final = "(day - date '0001-01-01') % 7"
"""0 on a Monday."""


def _united(table: str, key: str, begins: int) -> str:
    """Fills a table with sets from a weekday (`begins` days after Monday) to the Sunday after it."""
    return f"""
insert into {table} as w (tenant, population, feature, {key}, chunk, bits)
select k.*, a.chunk, a.bits
from (
  select distinct tenant, population, feature, day - {_WEEKDAY} + {begins} as first_day from activity_day
  where tenant = any($1::int[]) and {_WEEKDAY} >= {begins} order by 1, 2, 3, 4
) k
cross join lateral (
  select chunk, bit_or(bits) as bits from activity_day
  where tenant = k.tenant and population = k.population and feature = k.feature
    and day between k.first_day and k.first_day + {6 - begins}
  group by chunk order by chunk
) a
on conflict (tenant, population, feature, {key}, chunk) do update set bits = w.bits | excluded.bits
"""  # noqa: S608  # of our own constants


COUNTS: Final = """
insert into active_count (tenant, feature, day, n)
select tenant, feature, day, sum(bit_count(bits)) from activity_day
where tenant = any($1::int[]) and population = 'user' group by 1, 2, 3 order by 1, 2, 3
on conflict (tenant, feature, day) do update set n = excluded.n
"""
FILLS: Final = (_united("activity_week", "week", 0), _united("activity_half", "half", 3), COUNTS)
"""All of them, each of the tenants given."""
