"""The relation of support limits: when each limit of a ticket ends, and when it was met or missed.

The rules, and the oracle that tests hold these statements to, are service/domain/support.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.relations_hours import after, elapsed, reached, worked
from service.catalog.relations_limits import (
    AMOUNTS,
    LEASTS,
    MEASURES,
    UNLIMITED,
    amount,
    least_amount,
    place,
    special,
)
from service.catalog.relations_reach import OPENED, REOPENED
from service.catalog.tiers import tier_of, told_tiers
from service.store.tickets import GO_LIVE

_CARRIED: Final = ", ".join(
    f"w.{name}"
    for name in (
        *("has_special", "whole_us", "opens_us", "closes_us", "before_us", "shift_us"),
        *(f"{name}_at" for name in (*AMOUNTS, *LEASTS)),
    )
)
"""What each ticket carries along of its tenant's hours and limits: joined to it once, for a join may copy all of it."""

_MOMENTS: Final = ("opened_us", "first_response_us", "mitigated_us", "resolved_us")
_TICKET: Final = ", ".join(("tenant", "subject", "account", *_MOMENTS, "priority", "category", "gap_from_us", "gap_to_us"))
"""What limits need of a ticket."""
_JUDGED: Final = " and not excluded and (resolved_us is null or resolved_us >= w.start_us)"
"""Excluded tickets have no limits. Whatever is met or missed is so by the resolution: what was resolved before is left out."""
_DONE: Final = MappingProxyType({"response": "answered_us", "mitigation": "workaround_us", "resolution": "resolved_us"})
"""What each limit is about."""


def ticket_dues(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`ticket_dues(tenant, subject …, response_us, response_met, resolution_us, resolution_met, both_us, both_met)`.

    When each was settled: met with what was asked for, missed with the limit's end, which may still lie ahead; null where
    nothing is limited or decided. Sub-selects stand one above the other, and `offset 0` keeps what one of them has computed
    from being computed again for each time that the next one names it.
    """
    asked = Asked.of(by, filtered)
    own = [name for name in ("account", "category", "priority") if name in filtered]
    judged = _JUDGED + "".join(f" and coalesce({name}, '') = any({asked.values(name)})" for name in own)
    ends = ",\n         ".join(f"{_due(measure)} as {measure}_due_us" for measure in MEASURES)
    has = ", ".join(f"l.{name} < {UNLIMITED} as has_{name.removesuffix('_least_us')}" for name in LEASTS)
    return f"""
with {_limited(judged)}
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


def _limited(judged: str) -> str:
    """Named parts, the last of which is `limited`: tickets that meet conditions (`judged`), with the least that limits leave."""
    leasts = ", ".join(f"{least_amount('c', measure)} as {measure}_least_us" for measure in MEASURES)
    return f"""{told_tiers("ticket_reach")}, terms as materialized (
  select w.*, h.whole_us, h.opens_us, h.closes_us, h.before_us, h.shift_us, o.told, o.later,
         t.has_special, {", ".join(f"t.{name} as {name}_at" for name in (*AMOUNTS, *LEASTS))}
  from ticket_reach w
  join support_hours h on h.tenant = w.tenant
  join limit_tables t on t.tenant = w.tenant
  left join told_tiers o on o.tenant = w.tenant
), begun as (
  select c.*, least(c.mitigated_us, c.first_resolved_us) as workaround_us,
         least(c.first_response_us, c.mitigated_us, c.first_resolved_us) as answered_us,
         coalesce(c.opened_us < c.closes_us[c.hours], false) as in_hours, {worked("c.opened_us", "c.hours", "c")} as worked_us
  from (
    select c.*, {_CARRIED}, {tier_of("w")} as tier, coalesce(c.gap_from_us[1], c.resolved_us) as first_resolved_us,
           width_bucket(c.opened_us, w.opens_us) as hours, case when w.asks_go_live then ({GO_LIVE.strip()}) end as go_live_us
    from terms w
    cross join lateral (
      select {_TICKET} from ticket where {OPENED}{judged}
      union all
      select {_TICKET} from ticket where {REOPENED}{judged}
      offset 0
    ) c
    offset 0
  ) c
  offset 0
), limited as (
  select c.*, {leasts}
  from (
    select c.*, {place("c", "c.in_hours")} as place,
           case when c.has_special then ({special("c", "c.in_hours")}) end as special
    from begun c offset 0
  ) c
  offset 0"""


def _late(measure: str) -> str:
    """When a ticket `t` missed a limit: at its end, where that lies before what it limits."""
    return f"case when t.{measure}_due_us < coalesce(t.{_DONE[measure]}, 9223372036854775807) then t.{measure}_due_us end"


def _due(measure: str) -> str:
    """When the first of a ticket's limits `l` of a measure ends: straight from the opening, or past the gaps.

    Null where it was certainly kept: neither support hours nor gaps let a limit end before as much time has passed by the clock.
    Most are, and are spared the look-ups.
    """
    clock, hours = (amount("l", f"{measure}_{counted}_us") for counted in ("clock", "worked"))
    passed = "sum({}) over (order by s.place rows between unbounded preceding and 1 preceding)".format(
        elapsed("s.start_us", "s.until_us", "a.is_business", "l")
    )
    straight = reached("l.opened_us", "l.worked_us", hours, "l")
    return f"""case
           when l.{measure}_least_us = {UNLIMITED} or l.{_DONE[measure]} <= l.opened_us + l.{measure}_least_us then null
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


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {"ticket_dues": ticket_dues}
NEEDS: Mapping[str, tuple[str, ...]] = {"ticket_dues": ("ticket_reach", "support_hours", "sla_limits", "limit_tables")}
