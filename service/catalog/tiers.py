"""The tiers that accounts had when their tickets were opened: read in one pass, and looked up where that does not tell."""

from service.store.dated import few_told
from service.store.tickets import TIER


def told_tiers(reach: str) -> str:
    """Named parts, the last of which is `told_tiers(tenant, told, later)`: maps by account, of tiers and of when they were told.

    `reach(tenant, first_us, last_us)` says between which instants tickets were opened. The tier that an account had last is that
    of all of its tickets since it was told; when that was, `later` says where it was after `first_us`. Tiers are read in one
    pass along the key, or looked up for each account where they were told often (`few_told`).
    """
    return f"""few as (
  select w.tenant, w.first_us, w.last_us, {few_told("tier", tenant="w.tenant")} as has_few from {reach} w
), newest as (
  select w.tenant, w.first_us, t.*
  from few w
  cross join lateral (
    select distinct on (who) who, value as tier, time_us as told_us from state_history
    where tenant = w.tenant and kind = 'account' and field = 'tier' and account = who and time_us <= w.last_us
    order by who, time_us desc, source collate "C" desc, id collate "C" desc
  ) t
  where w.has_few
  union all
  select w.tenant, w.first_us, c.account, r.*
  from few w
  cross join lateral (
    select tenant, account, max(opened_us) as opened_us from ticket
    where tenant = w.tenant and opened_us between w.first_us and w.last_us group by tenant, account offset 0
  ) c
  cross join lateral ({TIER.strip()}) r
  where not w.has_few
), told_tiers as (
  select tenant, jsonb_object_agg(who, tier) as told, jsonb_object_agg(who, told_us) filter (where told_us > first_us) as later
  from newest group by tenant
)"""


def tier_of(told: str) -> str:
    """The tier of a ticket `c` at its opening, by a row `told` of `told_tiers`; null where its account had none."""
    is_before = f"({told}.later ->> c.account)::bigint > c.opened_us"
    return f"case when {is_before} then {looked_up()} else {told}.told ->> c.account end"


def looked_up() -> str:
    """The tier of a ticket `c` alone, looked up."""
    return f"(select r.tier from ({TIER.strip()}) r)"
