"""What several KPIs ask of the same days: each account's users of a window, those of two days, and the days of all, read once."""

from typing import Final

from service.catalog.asked import Asked
from service.catalog.masks import BLOCK, BLOCKS_A_CHUNK, NOBODY
from service.catalog.planes import in_piece, planes

VISITS: Final = "visits"
READ_OF_VISITS: Final = {
    "active": f"select tenant, win, dims, n from {VISITS} where n > 0",
    "user_days": f"select tenant, win, dims, days as n from {VISITS} where days > 0",
    "repeat_visits": f"select tenant, win, dims, n, again from {VISITS} where n > 0",
}
"""Relations that are no more than columns of it, where they are split by account and filtered by nothing else."""
_MET: Final = "ones | twos | fours | eights"
_TWICE: Final = "twos | fours | eights"


def visits(by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`visits(tenant, win, dims, n, again, days)`: by account; of the relations `wins` and `counted_days`.

    `n`: users of the window; `again`: those who were active on two days of it; `days`: how many users each day that counts had,
    added up. A chunk's days are added up as sets (planes.py), which tell all three, and are then cut into blocks.
    """
    asked = Asked.of(by, filtered)
    only = f" and account = any({asked.values('account')})" if "account" in filtered else ""
    chunks = (
        f"\n      and chunk = any(array(select block / {BLOCKS_A_CHUNK} from seat_block where tenant = w.tenant{only}))"
        if only
        else ""
    )
    piece = f"b.block % {BLOCKS_A_CHUNK} * {BLOCK} + 1 for {BLOCK}"
    return f"""
with days_of as (
  select w.tenant, w.win, a.* from (
    select w.*, (select array_agg(c.day) from counted_days c where c.tenant = w.tenant and c.win = w.win) as days from wins w
  ) w cross join lateral (
    select chunk as part, coalesce(day = any(w.days), false) as counts, array_agg(bits) as bits from activity_day
    where tenant = w.tenant and population = 'seat' and feature = 0 and day between w.first_day and w.last_day{chunks}
    group by 1, 2
  ) a
), summed as materialized (
{planes("days_of", ("tenant", "win", "part", "counts"), NOBODY)}
), told as materialized (
  select tenant, win, part, ones, twos, fours, eights, counts,
    case when place = 1 then bit_or({_MET}) over one end as n,
    case when place = 1 then bit_or({_TWICE} | coalesce(({_MET}) & earlier, {NOBODY})) over one end as again
  from (
    select *, row_number() over before as place, bit_or({_MET}) over before as earlier from (
      select *, row_number() over (partition by tenant, win, part) as number from summed
    ) s window before as (partition by tenant, win, part order by number rows between unbounded preceding and 1 preceding)
  ) s window one as (partition by tenant, win, part)
)
select tenant, win, {asked.dims({"account": "account"})} as dims, n, again, days from (
  select tenant, win, account, coalesce(sum(n), 0) as n, coalesce(sum(again), 0) as again, coalesce(sum(days), 0) as days from (
    select t.tenant, t.win, b.account, bit_count(substring(t.n from {piece}))::int as n,
      bit_count(substring(t.again from {piece}))::int as again,
      case when t.counts then ({in_piece("t", piece)})::int end as days
    from told t join (
      select tenant, account, block, block / {BLOCKS_A_CHUNK} as part from seat_block
      where tenant in (select tenant from wins) and account <> ''{only}
    ) b on b.tenant = t.tenant and b.part = t.part offset 0
  ) p group by tenant, win, account
) c""".strip()
