"""Incidents as cases, derived from the set of their steps; and the list that people read."""

from dataclasses import dataclass

from service.domain.families.incident import ACTIONS
from service.store.engine import Connection

# Bytes decide, whatever collation the database was made with.
_NEWEST = 'time_us desc, rank desc, source collate "C" desc, id collate "C" desc'
_RANKS = ", ".join(f"'{action}'" for action in ACTIONS)

# One row an incident of the tenants in `tenants(tenant)`: what describes it is the newest by (time, action, source, id);
# its moments are the first of their kind; `resolved_us` is the last one, null while it is open;
# `idle_us` is the time between `resolved` and `reopened`, which does not count, from `gap_from` to `gap_to` each.
CASES = f"""
select c.tenant, c.subject, c.opened_us, c.detected_us, c.acknowledged_us, c.escalated_us, c.mitigated_us,
       c.postmortem_us, c.false_positive, c.severity, c.service, c.title, c.kind, c.cause, c.outage, c.affected_users,
       c.action_items, c.account, l.accounts,
       case when t.last_move = 'resolved' then t.last_us end as resolved_us,
       coalesce(t.idle_us, 0)::bigint as idle_us, coalesce(t.gap_from, '{{}}') as gap_from, coalesce(t.gap_to, '{{}}') as gap_to
from tenants
cross join lateral (
  select s.tenant, s.subject,
         coalesce(min(time_us) filter (where fields ->> 'action' = 'opened'), min(time_us)) as opened_us,
         min(time_us) filter (where fields ->> 'action' = 'detected') as detected_us,
         min(time_us) filter (where fields ->> 'action' = 'acknowledged') as acknowledged_us,
         min(time_us) filter (where fields ->> 'action' = 'escalated') as escalated_us,
         min(time_us) filter (where fields ->> 'action' = 'mitigated') as mitigated_us,
         min(time_us) filter (where fields ->> 'action' = 'postmortem_completed') as postmortem_us,
         bool_or(fields ->> 'action' = 'false_positive') as false_positive,
         {
    ", ".join(
        f"(array_agg(fields ->> '{field}' order by {_NEWEST}) filter (where fields ? '{field}'))[1] as {field}"
        for field in ("severity", "service", "title", "kind", "cause")
    )
},
         {
    ", ".join(
        f"(array_agg((fields ->> '{field}')::{kind} order by {_NEWEST}) filter (where fields ? '{field}'))[1] as {field}"
        for field, kind in (("outage", "boolean"), ("affected_users", "bigint"), ("action_items", "bigint"))
    )
},
         coalesce(
           (array_agg(account order by time_us, source collate "C", id collate "C") filter (where account <> ''))[1], ''
         ) as account
  from step s cross join lateral (select array_position(array[{_RANKS}], fields ->> 'action') as rank) r
  where s.tenant = tenants.tenant and s.family = 'incident'
  group by s.tenant, s.subject
) c
left join lateral (
  select sum(time_us - before_us) filter (where move = 'reopened' and before = 'resolved') as idle_us,
         array_agg(before_us order by time_us) filter (where move = 'reopened' and before = 'resolved') as gap_from,
         array_agg(time_us order by time_us) filter (where move = 'reopened' and before = 'resolved') as gap_to,
         (array_agg(move order by {_NEWEST}))[1] as last_move,
         (array_agg(time_us order by {_NEWEST}))[1] as last_us
  from (
    select fields ->> 'action' as move, time_us, source, id, rank,
           lag(fields ->> 'action') over steps as before, lag(time_us) over steps as before_us
    from step s cross join lateral (select array_position(array[{_RANKS}], fields ->> 'action') as rank) r
    where s.tenant = c.tenant and s.family = 'incident' and s.subject = c.subject
      and fields ->> 'action' in ('resolved', 'reopened')
    window steps as (order by time_us, rank, source collate "C", id collate "C")
  ) moves
) t on true
left join lateral (
  select coalesce(array_agg(distinct a.name order by a.name), '{{}}') as accounts
  from step s cross join lateral (
    select s.account as name where s.account <> ''
    union all
    select jsonb_array_elements_text(s.fields -> 'accounts') where s.fields ? 'accounts'
  ) a
  where s.tenant = c.tenant and s.family = 'incident' and s.subject = c.subject
) l on true
"""

# A page of one tenant's incidents, the newest opened first.
_PAGE = f"""
with tenants(tenant) as (values ($1::int)), cases as ({CASES})
select * from cases
where ($2::text[] is null or severity = any($2))
  and ($3::text is null or service = $3)
  and ($4::text is null or $4 = any(accounts) or accounts = '{{}}')
  and ($5::text is null
       or $5 = case when false_positive then 'false_positive' when resolved_us is null then 'open' else 'resolved' end)
  and ($6::bigint is null or opened_us >= $6)
  and ($7::bigint is null or opened_us < $7)
  and ($8::bigint is null or (opened_us, subject) < ($8, $9::text))
order by opened_us desc, subject desc
limit $10
"""


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident as known now; moments in microseconds since 1970, None where there is none."""

    subject: str
    opened_us: int
    detected_us: int | None
    acknowledged_us: int | None
    escalated_us: int | None
    mitigated_us: int | None
    resolved_us: int | None
    postmortem_us: int | None
    idle_us: int
    false_positive: bool
    severity: str | None
    service: str | None
    title: str | None
    kind: str | None
    cause: str | None
    outage: bool | None
    affected_users: int | None
    action_items: int | None
    account: str
    accounts: list[str]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which incidents are asked for; None leaves a choice open. Opened from `start_us` to before `end_us`.

    For an account its own and those that name none, as its KPIs count them.
    """

    severities: list[str] | None = None
    service: str | None = None
    account: str | None = None
    state: str | None = None
    start_us: int | None = None
    end_us: int | None = None


async def page(
    connection: Connection, tenant: int, wanted: Selection, *, after: tuple[int, str] | None, limit: int
) -> list[Incident]:
    """At most `limit` incidents, the newest opened first, beginning behind `after` (opened_us, subject)."""
    rows = await connection.fetch(
        _PAGE,
        tenant,
        wanted.severities,
        wanted.service,
        wanted.account,
        wanted.state,
        wanted.start_us,
        wanted.end_us,
        *(after or (None, None)),
        limit,
    )
    fields = Incident.__slots__
    return [Incident(**{field: row[field] for field in fields}) for row in rows]
