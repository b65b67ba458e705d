"""The relations of support limits: which a ticket has, when each ends, and when it was met or missed.

The rules, and the oracle that tests hold these statements to, are service/domain/support.
"""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.relations_hours import CLOSES, OPENS, ZONE, after, elapsed, is_open, support_hours
from service.catalog.relations_tickets import MICROS, ticket_dims
from service.domain.support import rules
from service.domain.support.limits import BUSINESS, CLOCK_US
from service.store.tickets import GO_LIVE, TIER

_MEASURES: Final = ("response", "mitigation", "resolution")
_CALENDAR: Final = frozenset({"month", "quarter", "year"})


def sla_limits(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`sla_limits(tenant, measure, opened, tier, priority, category, account, within_days, number, unit)`: all that there are."""
    rows = ", ".join(
        f"('{rule.measure}', '{rule.opened}', '{rule.tier}', '{rule.priority}', '{rule.limit.text}')" for rule in rules.DEFAULTS
    )
    return f"""
select l.tenant, l.measure, l.opened, l.tier, l.priority, l.category, l.account, l.within_days,
       (regexp_match(l.written, '^[0-9]+'))[1]::bigint as number, (regexp_match(l.written, '[a-z]+$'))[1] as unit
from (
  select d.tenant, r.*, null as category, null as account, null::int as within_days
  from declared d cross join (values {rows}) as r(measure, opened, tier, priority, written)
  union all
  select d.tenant, m.measure, '', s ->> 'tier', s ->> 'priority', m.written, s ->> 'category', s ->> 'account',
         (s ->> 'within_days_of_go_live')::int
  from declared d
  cross join lateral jsonb_array_elements(coalesce(d.config -> 'sla', '[]')) as s
  cross join lateral (values ('response', s ->> 'response'), ('resolution', s ->> 'resolution')) as m(measure, written)
  where m.written is not null
) l""".strip()


def limited_tickets(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`limited_tickets`: those that may have met or missed a limit in the windows, with their account's `tier` and `go_live_us`.

    From the opening to where a limit ends lies at most the longest limit: so far back are tickets looked at, and all that were
    reopened since; for KPIs of calendar months from the beginning of the quarter on. Excluded tickets have no limits, and
    those that the filters leave out are not looked up.
    """
    asked = Asked.of(by, filtered)
    own = [name for name in ("account", "category", "priority") if name in filtered]
    chosen = "".join(f" and coalesce(c.{name}, '') = any({asked.values(name)})" for name in own)
    start, end = "w.start_at", "w.end_at"
    if set(head.windows) <= _CALENDAR:
        # Two days, because months of the support zone begin and end at other instants than the tenant's.
        start = f"date_trunc('quarter', w.start_at at time zone {ZONE}) at time zone {ZONE} - interval '2 days'"
        end += " + interval '2 days'"
    return f"""
with reaches as (
  select w.tenant, min({start}) as start_at, max({end}) as end_at
  from wins w join declared d on d.tenant = w.tenant group by w.tenant
), longest as (
  select l.tenant, max(case
    when l.unit in {BUSINESS} then make_interval(days => 3 + ceil(1.4 * case l.unit
      when 'bd' then l.number else l.number * 3600 / extract(epoch from {CLOSES} - {OPENS}) end)::int)
    else make_interval(mins => (l.number * case l.unit {_cases(60_000_000)} end)::int)
  end) as reach, count(l.within_days) > 0 as asks_go_live
  from sla_limits l join declared d on d.tenant = l.tenant group by l.tenant
), reached as (
  select w.tenant, l.asks_go_live, {MICROS.format("w.end_at")} as to_us,
         {MICROS.format("w.start_at - l.reach - h.days::int * interval '1 day'")} as from_us
  from reaches w
  join longest l on l.tenant = w.tenant
  cross join lateral (select count(*) as days from holidays h where h.tenant = w.tenant) h
)
select c.*, r.tier, g.go_live_us
from reached w
cross join lateral (
  select * from ticket where tenant = w.tenant and opened_us >= w.from_us and opened_us < w.to_us
  union all
  select * from ticket where tenant = w.tenant and last_us >= w.from_us and idle_us > 0 and opened_us < w.from_us
  offset 0
) c
left join lateral ({TIER.strip()}) r on true
left join lateral ({GO_LIVE.strip()} and w.asks_go_live) g on true
where not c.excluded{chosen}""".strip()


def _cases(divisor: int) -> str:
    return " ".join(f"when '{unit}' then {us // divisor}" for unit, us in CLOCK_US.items())


def ticket_dues(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`ticket_dues(tenant, subject …, response_us, response_met, resolution_us, resolution_met, both_us, both_met)`.

    When each was settled: met with what was asked for, missed with the limit's end, which may still lie ahead; null where
    nothing is limited or decided.
    """
    late = "case when t.{due} < coalesce(t.{done}, 9223372036854775807) then t.{due} end"
    counts = ", ".join(f"count(*) filter (where measure = '{name}') > 0 as has_{name}" for name in _MEASURES)
    ends = ", ".join(f"min(due_us) filter (where measure = '{name}') as {name}_due_us" for name in _MEASURES)
    return f"""
with timed as (
  select c.*, e.*, least(c.mitigated_us, f.first_resolved_us) as workaround_us,
         least(c.first_response_us, c.mitigated_us, f.first_resolved_us) as answered_us
  from limited_tickets c
  join support_hours h on h.tenant = c.tenant
  cross join lateral (
    select coalesce(c.gap_from_us[1], c.resolved_us) as first_resolved_us, {is_open("c.opened_us")} as in_hours
  ) f
  cross join lateral (
    select {counts},
           {ends}
    from (select *, unit in {BUSINESS} as is_business from sla_limits) l
    cross join lateral (select l.number * case l.unit when 'bd' then h.day_us {_cases(1)} end as amount_us) a
    cross join lateral ({_due()}) d
    where l.tenant = c.tenant and (l.tier is null or l.tier = c.tier) and (l.priority is null or l.priority = c.priority)
      and (l.category is null or l.category = c.category) and (l.account is null or l.account = c.account)
      and (l.opened = '' or (l.opened = 'in_hours') = f.in_hours)
      and (l.within_days is null or c.opened_us - c.go_live_us between 0 and l.within_days * 86400000000 - 1)
  ) e
), judged as (
  select t.*,
         {late.format(due="response_due_us", done="answered_us")} as late_response_us,
         least({late.format(due="mitigation_due_us", done="workaround_us")},
               {late.format(due="resolution_due_us", done="resolved_us")}) as late_resolution_us,
         case when t.has_response then t.answered_us end as met_response_us,
         case when (t.workaround_us is not null or not t.has_mitigation) and (t.resolved_us is not null or not t.has_resolution)
           then greatest(case when t.has_mitigation then t.workaround_us end, case when t.has_resolution then t.resolved_us end)
         end as met_resolution_us
  from timed t
)
select j.*,
       coalesce(late_response_us, met_response_us) as response_us, late_response_us is null as response_met,
       coalesce(late_resolution_us, met_resolution_us) as resolution_us, late_resolution_us is null as resolution_met,
       coalesce(late_response_us, late_resolution_us) is null as both_met,
       case when coalesce(late_response_us, late_resolution_us) is not null then least(late_response_us, late_resolution_us)
         when (met_response_us is not null or not has_response)
           and (met_resolution_us is not null or not (has_mitigation or has_resolution))
         then greatest(met_response_us, met_resolution_us)
       end as both_us
from judged j""".strip()


def _due() -> str:
    """When a limit `l` of `a.amount_us` ends for a ticket `c`: straight from the opening, or past the gaps."""
    passed = "sum({}) over (order by s.place rows between unbounded preceding and 1 preceding)".format(
        elapsed("s.start_us", "s.until_us")
    )
    left = f"(a.amount_us - coalesce({passed}, 0)::bigint)"
    return f"""
    select case when cardinality(c.gap_from_us) = 0 then {after("c.opened_us", "a.amount_us")} else (
      select g.ends_us from (
        select s.place, s.until_us, {after("s.start_us", "s.left_us")} as ends_us
        from (
          select s.*, {left} as left_us
          from unnest(c.opened_us || c.gap_to_us, c.gap_from_us || null::bigint) with ordinality as s(start_us, until_us, place)
        ) s
      ) g
      where g.until_us is null or g.ends_us < g.until_us
      order by g.place limit 1
    ) end as due_us"""


def tickets_settled(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`tickets_settled(tenant, win, dims, measure, is_met)`: what was met or missed in the window.

    A row a ticket and measure: `response`, `resolution`, and "" for both together.
    """
    asked = Asked.of(by, filtered)
    accounts, columns, conditions = ticket_dims(asked, tier="c.tier")
    where = "".join(f"\n  and {condition}" for condition in conditions)
    return (
        f"select w.tenant, w.win, {asked.dims(columns)} as dims, s.measure, s.is_met\n"
        f"from wins w{accounts.join('w')}\njoin ticket_dues c on c.tenant = w.tenant\n"
        "cross join lateral (\n"
        "  values ('', c.both_us, c.both_met), ('response', c.response_us, c.response_met),\n"
        "         ('resolution', c.resolution_us, c.resolution_met)\n"
        ") as s(measure, at_us, is_met)\n"
        f"where s.at_us >= {MICROS.format('w.start_at')}\n"
        f"  and s.at_us < case when s.is_met then {MICROS.format('w.end_at')} else {MICROS.format('w.until_at')} end{where}"
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "sla_limits": sla_limits,
    "limited_tickets": limited_tickets,
    "support_hours": support_hours,
    "ticket_dues": ticket_dues,
    "tickets_settled": tickets_settled,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "sla_limits": ("declared",),
    "limited_tickets": ("wins", "declared", "holidays", "sla_limits"),
    "support_hours": ("wins", "declared", "holidays", "limited_tickets"),
    "ticket_dues": ("limited_tickets", "support_hours", "sla_limits"),
    "tickets_settled": ("wins", "ticket_dues"),
}
