"""The relations of which limits of support there are, and of the tickets that may have met or missed one.

The rules, and the oracle that tests hold these statements to, are service/domain/support.
"""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.relations_hours import CLOSES, OPENS, ZONE, support_hours
from service.catalog.relations_tickets import MICROS
from service.domain.support import rules
from service.domain.support.limits import BUSINESS, CLOCK_US
from service.store.dated import few_told
from service.store.tickets import GO_LIVE, TIER

MEASURES: Final = ("response", "mitigation", "resolution")
AMOUNTS: Final = tuple(f"{measure}_{hours}_us" for measure in MEASURES for hours in ("clock", "worked"))
"""Columns of the least amount of time of several limits: by what is limited, and by which hours count."""
_NO_LIMIT: Final = -1
"""In arrays, where a null would make each look-up walk from their beginning."""
_TICKET: Final = (
    "c.tenant, c.subject, c.account, c.opened_us, c.first_response_us, c.mitigated_us, c.resolved_us, c.priority, c.category,"
    " c.gap_from_us, c.gap_to_us"
)
"""What limits need of a ticket."""
_CALENDAR: Final = frozenset({"month", "quarter", "year"})
_US_A_UNIT: Final = " ".join(f"when '{unit}' then {us}" for unit, us in CLOCK_US.items())


def sla_limits(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`sla_limits(tenant, day_us, measure, opened, tier, priority, category, account, within_days, amount_us, is_business)`.

    All that there are; `day_us` is how long the tenant's day of support is.
    """
    # Of a limit of the defaults what it is beside its days of support, and how many of these it is.
    limits = [(rule, rule.limit.us(0), rule.limit.us(1) - rule.limit.us(0)) for rule in rules.DEFAULTS]
    rows = ", ".join(
        f"('{rule.measure}', '{rule.opened}', '{rule.tier}', '{rule.priority}', {us}::bigint, {days}, {rule.limit.is_business})"
        for rule, us, days in limits
    )
    return f"""
with hours as (
  select d.*, (extract(epoch from {CLOSES} - {OPENS}) * 1000000)::bigint as day_us from declared d
)
select d.tenant, d.day_us, r.measure, r.opened, r.tier, r.priority, null as category, null as account, null::int as within_days,
       r.us + r.days * d.day_us as amount_us, r.is_business
from hours d cross join (values {rows}) as r(measure, opened, tier, priority, us, days, is_business)
union all
select d.tenant, d.day_us, m.measure, '', s ->> 'tier', s ->> 'priority', s ->> 'category', s ->> 'account',
       (s ->> 'within_days_of_go_live')::int,
       w.parts[1]::bigint * case w.parts[2] when 'bd' then d.day_us {_US_A_UNIT} end, w.parts[2] in {BUSINESS}
from hours d
cross join lateral jsonb_array_elements(coalesce(d.config -> 'sla', '[]')) as s
cross join lateral (values ('response', s ->> 'response'), ('resolution', s ->> 'resolution')) as m(measure, written)
cross join lateral (select regexp_match(m.written, '^([0-9]+)([a-z]+)$') as parts) w
where m.written is not null""".strip()


def found_tickets(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`found_tickets(tenant, subject, account …, asks_go_live)`: those that may have met or missed a limit in the windows.

    From the opening to where a limit ends lies at most the longest limit: so far back are tickets looked at, and all that were
    reopened since; for KPIs of calendar months from the beginning of the quarter on. Whatever is met or missed is so by the
    resolution: what was resolved before is left out. Excluded tickets have no limits, and those that the filters leave out are
    not looked up.
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
    when l.is_business then make_interval(days => 3 + ceil(1.4 * l.amount_us / l.day_us)::int)
    else make_interval(mins => (l.amount_us / 60000000)::int)
  end) as reach, count(l.within_days) > 0 as asks_go_live
  from sla_limits l join declared d on d.tenant = l.tenant group by l.tenant
), reached as (
  select w.tenant, l.asks_go_live, {MICROS.format("w.start_at")} as start_us, {MICROS.format("w.end_at")} as to_us,
         {MICROS.format("w.start_at - l.reach - h.days::int * interval '1 day'")} as from_us
  from reaches w
  join longest l on l.tenant = w.tenant
  cross join lateral (select count(*) as days from holidays h where h.tenant = w.tenant) h
)
select {_TICKET}, w.asks_go_live
from reached w
cross join lateral (
  select * from ticket where tenant = w.tenant and opened_us >= w.from_us and opened_us < w.to_us
  union all
  select * from ticket where tenant = w.tenant and last_us >= w.from_us and idle_us > 0 and opened_us < w.from_us
  offset 0
) c
where not c.excluded and (c.resolved_us is null or c.resolved_us >= w.start_us){chosen}""".strip()


def limited_tickets(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`limited_tickets`: those that were found, with their account's `tier` at the opening and its `go_live_us`.

    The tier that an account had last is that of all of its tickets since it was told. It is read in one pass along the key, or
    looked up for each account where tiers were told often (`few_told`); of earlier tickets it is looked up one by one.
    """
    return f"""
with opened as (
  select o.*, {few_told("tier", tenant="o.tenant")} as has_few
  from (select tenant, min(opened_us) as first_us, max(opened_us) as last_us from found_tickets group by tenant) o
), told as (
  select o.tenant, o.first_us, t.*
  from opened o
  cross join lateral (
    select distinct on (who) who, value as tier, time_us as told_us from state_history
    where tenant = o.tenant and kind = 'account' and field = 'tier' and account = who and time_us <= o.last_us
    order by who, time_us desc, source collate "C" desc, id collate "C" desc
  ) t
  where o.has_few
  union all
  select o.tenant, o.first_us, c.account, r.*
  from opened o
  cross join lateral (
    select tenant, account, max(opened_us) as opened_us from found_tickets
    where tenant = o.tenant group by tenant, account offset 0
  ) c
  cross join lateral ({TIER.strip()}) r
  where not o.has_few
), tiers as (
  select tenant, jsonb_object_agg(who, tier) as tiers, jsonb_object_agg(who, told_us) filter (where told_us > first_us) as later
  from told group by tenant
)
select c.*, g.go_live_us,
       case when (t.later ->> c.account)::bigint > c.opened_us then (select r.tier from ({TIER.strip()}) r)
         else t.tiers ->> c.account end as tier
from found_tickets c
left join tiers t on t.tenant = c.tenant
left join lateral (select g.* from ({GO_LIVE.strip()} offset 0) g where c.asks_go_live offset 0) g on true""".strip()


def limit_tables(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`limit_tables(tenant, tiers, priorities, has_special, AMOUNTS …)`: the limits that tier, priority and hours decide.

    Each amount is an array with a place for each of these: see `place`. `has_special`: there are other limits beside them.
    """
    least = ", ".join(f"coalesce(min(l.amount_us) filter (where {which}), {_NO_LIMIT}) as {name}" for name, which in _which("l"))
    arrays = ", ".join(f"array_agg(m.{name} order by t.n, p.n, h.n) as {name}" for name in AMOUNTS)
    return f"""
with named as (
  select l.tenant, array_remove(array_agg(distinct l.tier), null) as tiers,
         array_remove(array_agg(distinct l.priority), null) as priorities, bool_or({SPECIAL}) as has_special
  from sla_limits l
  where l.tenant in (select tenant from support_hours)
  group by l.tenant
)
select n.*, a.*
from named n
cross join lateral (
  select {arrays}
  from unnest(null::text || n.tiers) with ordinality as t(tier, n)
  cross join unnest(null::text || n.priorities) with ordinality as p(priority, n)
  cross join (values (0, false), (1, true)) as h(n, in_hours)
  cross join lateral (
    select {least}
    from sla_limits l
    where l.tenant = n.tenant and not ({SPECIAL}) and (l.tier is null or l.tier = t.tier)
      and (l.priority is null or l.priority = p.priority) and (l.opened = '' or (l.opened = 'in_hours') = h.in_hours)
  ) m
) a""".strip()


SPECIAL: Final = "l.category is not null or l.account is not null or l.within_days is not null"
"""Limits `l` that have to be looked for ticket by ticket."""


def place(table: str, ticket: str, in_hours: str) -> str:
    """The place of a ticket's limits in the arrays of `limit_tables`."""
    tier, priority = (
        f"coalesce(array_position({table}.{many}, {ticket}.{one}), 0)"
        for many, one in (("tiers", "tier"), ("priorities", "priority"))
    )
    return f"1 + {in_hours}::int + 2 * ({priority} + (1 + cardinality({table}.priorities)) * {tier})"


def amount(name: str, place: str) -> str:
    """The amount of time that a place in the arrays of a ticket `c` says, or that of a special limit `s`: the stricter one."""
    return f"least(nullif(c.{name}_at[{place}], {_NO_LIMIT}), s.{name})"


def special(ticket: str, in_hours: str) -> str:
    """The select of one row with AMOUNTS of a ticket's special limits."""
    least = ", ".join(f"min(l.amount_us) filter (where {which}) as {name}" for name, which in _which("l"))
    return f"""
    select {least}
    from sla_limits l
    where l.tenant = {ticket}.tenant and ({SPECIAL})
      and (l.tier is null or l.tier = {ticket}.tier) and (l.priority is null or l.priority = {ticket}.priority)
      and (l.category is null or l.category = {ticket}.category) and (l.account is null or l.account = {ticket}.account)
      and (l.opened = '' or (l.opened = 'in_hours') = {in_hours})
      and (l.within_days is null or {ticket}.opened_us - {ticket}.go_live_us between 0 and l.within_days * 86400000000 - 1)"""


def _which(limit: str) -> list[tuple[str, str]]:
    """The columns of AMOUNTS, each with the condition that a limit has to meet to be in it."""
    return [
        (f"{measure}_{hours}_us", f"{limit}.measure = '{measure}' and {no}{limit}.is_business")
        for measure in MEASURES
        for hours, no in (("clock", "not "), ("worked", ""))
    ]


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "sla_limits": sla_limits,
    "found_tickets": found_tickets,
    "support_hours": support_hours,
    "limited_tickets": limited_tickets,
    "limit_tables": limit_tables,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "sla_limits": ("declared",),
    "found_tickets": ("wins", "declared", "holidays", "sla_limits"),
    "support_hours": ("wins", "declared", "holidays", "found_tickets"),
    "limited_tickets": ("found_tickets",),
    "limit_tables": ("sla_limits", "support_hours"),
}
