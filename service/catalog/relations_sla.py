"""The relations of support limits: when each limit of a ticket ends, when it was met or missed, and in which window that was.

The rules, and the oracle that tests hold these statements to, are service/domain/support.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from service.catalog import relations_limits
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.relations_hours import after, elapsed, reached, worked
from service.catalog.relations_limits import AMOUNTS, MEASURES, amount, place, special
from service.catalog.relations_tickets import MICROS, ticket_dims

# What is settled of a ticket, by the statistic's name: at which moment, and whether as asked.
_SETTLED: Final = (("", "both"), ("response", "response"), ("resolution", "resolution"))

_CARRIED: Final = ", ".join(
    f"h.{name}"
    for name in (
        *("tiers", "priorities", "has_special", "whole_us", "opens_us", "closes_us", "before_us", "shift_us"),
        *(f"{name}_at" for name in AMOUNTS),
    )
)
"""What each ticket carries along of its tenant's hours and limits: joined to it once, for a join may copy all of it."""

_DONE: Final = MappingProxyType({"response": "answered_us", "mitigation": "workaround_us", "resolution": "resolved_us"})
"""What each limit is about."""


def ticket_dues(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`ticket_dues(tenant, subject …, response_us, response_met, resolution_us, resolution_met, both_us, both_met)`.

    When each was settled: met with what was asked for, missed with the limit's end, which may still lie ahead; null where
    nothing is limited or decided. Sub-selects stand one above the other, and `offset 0` keeps what one of them has computed
    from being computed again for each time that the next one names it.
    """
    limits = ", ".join(f"{amount(name, 'c.place')} as {name}" for name in AMOUNTS)
    ends = ",\n         ".join(f"{_due(measure)} as {measure}_due_us" for measure in MEASURES)
    has = ", ".join(f"coalesce(l.{name}_clock_us, l.{name}_worked_us) is not null as has_{name}" for name in MEASURES)
    return f"""
with terms as materialized (
  select h.*, t.tiers, t.priorities, t.has_special, {", ".join(f"t.{name} as {name}_at" for name in AMOUNTS)}
  from support_hours h join limit_tables t on t.tenant = h.tenant
), begun as (
  select c.*, {_CARRIED}, f.first_resolved_us, least(c.mitigated_us, f.first_resolved_us) as workaround_us,
         least(c.first_response_us, c.mitigated_us, f.first_resolved_us) as answered_us,
         coalesce(c.opened_us < h.closes_us[f.place], false) as in_hours, {worked("c.opened_us", "f.place")} as worked_us
  from limited_tickets c
  join terms h on h.tenant = c.tenant
  cross join lateral (
    select coalesce(c.gap_from_us[1], c.resolved_us) as first_resolved_us, width_bucket(c.opened_us, h.opens_us) as place
    offset 0
  ) f
  offset 0
), limited as (
  select c.*, {limits}
  from (select c.*, {place("c", "c", "c.in_hours")} as place from begun c offset 0) c
  left join lateral (
    select s.* from ({special("c", "c.in_hours")}
    offset 0) s where c.has_special offset 0
  ) s on true
  offset 0
), timed as (
  select l.*, {has},
         {ends}
  from limited l
  offset 0
), judged as (
  select t.*,
         {_late("response")} as late_response_us,
         least({_late("mitigation")},
               {_late("resolution")}) as late_resolution_us,
         case when t.has_response then t.answered_us end as met_response_us,
         case when (t.workaround_us is not null or not t.has_mitigation) and (t.resolved_us is not null or not t.has_resolution)
           then greatest(case when t.has_mitigation then t.workaround_us end, case when t.has_resolution then t.resolved_us end)
         end as met_resolution_us
  from timed t
  offset 0
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


def _late(measure: str) -> str:
    """When a ticket `t` missed a limit: at its end, where that lies before what it limits."""
    return f"case when t.{measure}_due_us < coalesce(t.{_DONE[measure]}, 9223372036854775807) then t.{measure}_due_us end"


def _due(measure: str) -> str:
    """When the first of a ticket's limits `l` of a measure ends: straight from the opening, or past the gaps.

    Null where it was certainly kept: neither support hours nor gaps let a limit end before as much time has passed by the clock.
    Most are, and are spared the look-ups.
    """
    clock, hours = f"l.{measure}_clock_us", f"l.{measure}_worked_us"
    passed = "sum({}) over (order by s.place rows between unbounded preceding and 1 preceding)".format(
        elapsed("s.start_us", "s.until_us", "a.is_business", "l")
    )
    straight = reached("l.opened_us", "l.worked_us", hours, "l")
    return f"""case
           when l.{_DONE[measure]} <= l.opened_us + least({clock}, {hours}) then null
           when cardinality(l.gap_from_us) = 0 then least(l.opened_us + {clock}, {straight})
           else (
             select min(g.ends_us)
             from (values ({clock}, false), ({hours}, true)) as a(amount_us, is_business)
             cross join lateral (
               select s.until_us, {after("s.start_us", "s.left_us", "a.is_business", "l")} as ends_us
               from (
                 select s.*, a.amount_us - coalesce({passed}, 0)::bigint as left_us
                 from unnest(l.opened_us || l.gap_to_us, l.gap_from_us || null::bigint)
                   with ordinality as s(start_us, until_us, place)
               ) s
               where {after("s.start_us", "s.left_us", "a.is_business", "l")} < s.until_us or s.until_us is null
               order by s.place limit 1
             ) g
             where a.amount_us is not null
           ) end"""


def tickets_settled(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`tickets_settled(tenant, win, dims, measure, met, judged)`: how many were met, and met or missed, in the window.

    A row a measure of which there are some: `response`, `resolution`, and "" for both together.
    """
    asked = Asked.of(by, filtered)
    accounts, columns, conditions = ticket_dims(asked, tier="c.tier")
    where = f"\n  where {' and '.join(conditions)}" if conditions else ""
    named = {name: f"g{number}" for number, name in enumerate(asked.by)}
    shown = "".join(f", {columns[name]} as {column}" for name, column in named.items() if name in columns)
    keys = ", ".join(["tenant", "win", *(column for name, column in named.items() if name in columns)])
    inside = "c.{0}_us >= w.from_us and c.{0}_us < case when c.{0}_met then w.to_us else w.until_us end as has_{0}, c.{0}_met"
    counts = ", ".join(
        f"count(*) filter (where has_{name}) as {name}_judged, count(*) filter (where has_{name} and {name}_met) as {name}_met"
        for _, name in _SETTLED
    )
    rows = ", ".join(f"('{statistic}', s.{name}_met, s.{name}_judged)" for statistic, name in _SETTLED)
    dims = asked.dims({name: f"s.{column}" for name, column in named.items() if name in columns})
    return f"""
select s.tenant, s.win, {dims} as dims, m.*
from (
  select {keys}, {counts}
  from (
    select w.tenant, w.win{shown}, {", ".join(inside.format(name) for _, name in _SETTLED)}
    from (
      select tenant, win, {MICROS.format("start_at")} as from_us, {MICROS.format("end_at")} as to_us,
             {MICROS.format("until_at")} as until_us
      from wins offset 0
    ) w{accounts.join("w")}
    join ticket_dues c on c.tenant = w.tenant{where}
    offset 0
  ) c
  where has_both or has_response or has_resolution
  group by {keys}
) s
cross join lateral (values {rows}) as m(measure, met, judged)
where m.judged > 0""".strip()


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    **relations_limits.BUILT,
    "ticket_dues": ticket_dues,
    "tickets_settled": tickets_settled,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    **relations_limits.NEEDS,
    "ticket_dues": ("limited_tickets", "support_hours", "sla_limits", "limit_tables"),
    "tickets_settled": ("wins", "ticket_dues"),
}
