"""Cases of winning back subscribers, derived from the set of their steps."""

from service.domain.families.recovery import ACTIONS

_RANKS = ", ".join(f"'{action}'" for action in ACTIONS)
# Bytes decide, whatever collation the database was made with.
_NEWEST = 'time_us desc, rank desc, source collate "C" desc, id collate "C" desc'

# One row a case of `sought(tenant, subject, …)`, with all that this has. A case begins with `at_risk`, else with its first
# step; whether it was recovered or lost is what was said last, and `recovered_us` and `amount` are those of its last
# `recovered`; the account is the first that is named.
RECOVERIES = f"""
select s.*, coalesce(c.accounts[cardinality(c.accounts)], '') as account, c.channel, c.began_us,
       case when c.outcome = 'recovered' then c.recovered_us end as recovered_us,
       c.recovered ->> 'amount_currency' as amount_currency, (c.recovered ->> 'amount')::numeric as amount
from sought s
cross join lateral (
  select coalesce(min(time_us) filter (where action = 'at_risk'), min(time_us)) as began_us,
         max(time_us) filter (where action = 'recovered') as recovered_us,
         (array_agg(action order by {_NEWEST}) filter (where action in ('recovered', 'lost')))[1] as outcome,
         (array_agg(fields order by {_NEWEST}) filter (where action = 'recovered'))[1] as recovered,
         coalesce((array_agg(fields ->> 'channel' order by {_NEWEST}) filter (where fields ? 'channel'))[1], '') as channel,
         array_agg(account order by {_NEWEST}) filter (where account <> '') as accounts
  from step t
  cross join lateral (
    select t.fields ->> 'action' as action, array_position(array[{_RANKS}], t.fields ->> 'action') as rank
  ) a
  where t.tenant = s.tenant and t.family = 'recovery' and t.subject = s.subject
) c
"""
