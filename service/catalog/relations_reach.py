"""The relations of which limits of support there are, and how far back tickets are looked at that may have met or missed one."""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.kpi import Head
from service.catalog.relations_hours import CLOSES, OPENS, ZONE
from service.catalog.relations_tickets import MICROS
from service.domain.support import rules
from service.domain.support.limits import BUSINESS, CLOCK_US

OPENED: Final = "tenant = w.tenant and opened_us >= w.from_us and opened_us < w.to_us"
REOPENED: Final = "tenant = w.tenant and last_us >= w.from_us and idle_us > 0 and opened_us < w.from_us"
"""Which tickets a row `w` of `ticket_reach` stands for: of either of two indexes, and none is of both."""
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


def ticket_reach(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`ticket_reach(tenant, asks_go_live, start_us, from_us, to_us, first_us, last_us)`: which tickets may be judged.

    From the opening to where a limit ends lies at most the longest limit: so far back are tickets looked at, and all that were
    reopened since; for KPIs of calendar months from the beginning of the quarter on. `first_us` and `last_us` are when the first
    and the last of them were opened: tenants that have none are left out.
    """
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
select w.*, least(o.first_us, r.first_us) as first_us, coalesce(o.last_us, r.last_us) as last_us
from reached w
cross join lateral (
  select min(opened_us) as first_us, max(opened_us) as last_us from ticket where {OPENED}
) o
cross join lateral (
  select min(opened_us) as first_us, max(opened_us) as last_us from ticket where {REOPENED}
) r
where coalesce(o.first_us, r.first_us) is not null""".strip()


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "sla_limits": sla_limits,
    "ticket_reach": ticket_reach,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "sla_limits": ("declared",),
    "ticket_reach": ("wins", "declared", "holidays", "sla_limits"),
}
