"""Support tickets as cases, derived from the set of their steps."""

from service.domain.families.ticket import ACTIONS

NEWEST = 'time_us desc, rank desc, source collate "C" desc, id collate "C" desc'
"""Bytes decide, whatever collation the database was made with."""
_RANKS = ", ".join(f"'{action}'" for action in ACTIONS)


def _newest(expression: str, kind: str, where: str) -> str:
    return f"(array_agg({expression} order by {NEWEST}) filter (where {where}))[1]::{kind}"


def _first(action: str) -> str:
    return f"min(time_us) filter (where action = '{action}') as {action}_us"


def _described(field: str, kind: str = "text") -> str:
    return f"{_newest(f'fields ->> {field!r}', kind, f'fields ? {field!r}')} as {field}"


# One row a ticket of `subjects(tenant, subject)`: what describes it is the newest by (time, action, source, id), its account the
# newest that a step names; its moments are the first of their kind, but for `resolved_us`, the last one, null while it is open.
# `gap_from`, `gap_to` are the stretches behind the opening from `resolved` to `reopened`, which do not count; `idle_us` is their
# sum. Each subject's steps are looked up by key, and all of them are sorted once.
CASES = f"""
select c.*, case when c.last_resolved_us is not null and (not c.was_reopened or t.ends_resolved) then c.last_resolved_us end
         as resolved_us,
       coalesce(t.gap_from, '{{}}') as gap_from, coalesce(t.gap_to, '{{}}') as gap_to, coalesce(t.idle_us, 0)::bigint as idle_us
from (
  select n.tenant, n.subject,
         coalesce(min(time_us) filter (where action = 'opened'), min(time_us)) as opened_us,
         {_first("first_response")}, {_first("escalated")}, {_first("mitigated")},
         max(time_us) filter (where action = 'resolved') as last_resolved_us,
         bool_or(action = 'reopened') as was_reopened,
         {_described("priority")},
         {_described("category")},
         {_described("first_contact", "boolean")},
         {_described("blocking", "boolean")},
         {_newest("fields ->> 'level'", "int", "action = 'escalated' and fields ? 'level'")} as level,
         {_newest("action = 'excluded'", "boolean", "action in ('excluded', 'included')")} is true as excluded,
         {_newest("fields ->> 'reason'", "text", "action = 'excluded'")} as reason,
         coalesce({_newest("account", "text", "account <> ''")}, '') as account
  from (select tenant, subject, row_number() over () as number from subjects) n
  cross join lateral (
    select time_us, source, id, account, fields, fields ->> 'action' as action,
           array_position(array[{_RANKS}], fields ->> 'action') as rank
    from step
    where tenant = n.tenant and family = 'ticket' and subject = n.subject
    offset 0
  ) s
  group by n.number, n.tenant, n.subject
) c
left join lateral (
  select array_agg(from_us order by time_us, number) filter (where is_gap) as gap_from,
         array_agg(time_us order by time_us, number) filter (where is_gap) as gap_to,
         sum(time_us - from_us) filter (where is_gap) as idle_us,
         (array_agg(move order by number desc))[1] = 'resolved' as ends_resolved
  from (
    select move, time_us, number, greatest(before_us, c.opened_us) as from_us,
           move = 'reopened' and before = 'resolved' and time_us > c.opened_us as is_gap
    from (
      select fields ->> 'action' as move, time_us, row_number() over steps as number,
             lag(fields ->> 'action') over steps as before, lag(time_us) over steps as before_us
      from step cross join lateral (select array_position(array[{_RANKS}], fields ->> 'action') as rank) r
      where c.was_reopened and tenant = c.tenant and family = 'ticket' and subject = c.subject
        and fields ->> 'action' in ('resolved', 'reopened')
      window steps as (order by time_us, rank, source collate "C", id collate "C")
    ) ordered
  ) moves
) t on true
"""

# The tier that a ticket's account had when it was opened, for a ticket `c`; no row where it had none.
TIER = """
select value as tier from state_history
where tenant = c.tenant and kind = 'account' and field = 'tier' and who = c.account and account = c.account
  and time_us <= c.opened_us
order by time_us desc, source collate "C" desc, id collate "C" desc limit 1
"""

# When the account of a ticket `c` went live.
GO_LIVE = """
select min(time_us) as go_live_us from milestone
where tenant = c.tenant and kind = 'account' and milestone = 'go_live' and who = c.account
"""
