"""The relation of credits: what an account is owed for the limits that were missed in a month of the support zone.

The rules, and the oracle that tests hold this statement to, are service/domain/support/credits.py.
"""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.relations_hours import ZONE
from service.catalog.relations_tickets import MICROS
from service.domain.support.credits import SEVERAL, TERMS, WHOLE

_NOBODY: Final = 2**31 - 1
"""More misses than anybody has: tiers without a review, or without a percentage in place of the sum."""
_TERMS: Final = ", ".join(
    f"('{tier}', {terms.response}, {terms.resolution}, {terms.together or 'null'}::int, {terms.review_from or _NOBODY})"
    for tier, terms in TERMS.items()
)


# The months of the support zone that belong to each window, as far as they have come.
_MONTHS: Final = f"""
  select w.tenant, w.win, {MICROS.format("m.from_at")} as from_us,
         {MICROS.format("case when w.until_at < w.end_at then least(m.to_at, w.until_at) else m.to_at end")} as to_us
  from wins w
  join declared d on d.tenant = w.tenant
  cross join lateral (
    select g.local at time zone {ZONE} as from_at, (g.local + interval '1 month') at time zone {ZONE} as to_at,
           (g.local + interval '14 days 12 hours') at time zone {ZONE} as middle
    from generate_series(
      date_trunc('month', w.start_at at time zone {ZONE}), w.end_at at time zone {ZONE}, interval '1 month'
    ) as g(local)
  ) m
  where m.middle >= w.start_at and m.middle < w.end_at and m.from_at < w.until_at
""".strip()

# When the quarters of the support zone begin that misses may lie in: which one that is, is looked up in an array.
_QUARTERS: Final = f"""
  select d.tenant, array(
    select {MICROS.format(f"g.local at time zone {ZONE}")}
    from generate_series(
      date_trunc('quarter', (timestamptz 'epoch' + r.first_us * interval '1 microsecond') at time zone {ZONE}),
      w.until_at at time zone {ZONE} + interval '1 year', interval '3 months'
    ) as g(local) order by 1
  ) as begin_us
  from ticket_reach r
  join declared d on d.tenant = r.tenant
  join (select tenant, max(until_at) as until_at from wins group by tenant) w on w.tenant = r.tenant
""".strip()

# Every response and resolution that was or will be late, numbered within the quarter of its account.
_MISSED: Final = f"""
  select c.tenant, c.account, c.measure, c.at_us, r.*, row_number() over (
           partition by c.tenant, c.account, c.quarter order by c.at_us, c.subject, c.measure
         ) as number
  from (
    select c.tenant, c.account, c.subject, c.tier, m.measure, m.at_us, width_bucket(m.at_us, q.begin_us) as quarter
    from (select * from ticket_dues where account <> '' and not both_met offset 0) c
    join quarters q on q.tenant = c.tenant
    cross join lateral (
      values ('response', c.response_us, c.response_met), ('resolution', c.resolution_us, c.resolution_met)
    ) as m(measure, at_us, is_met)
    where m.at_us is not null and not m.is_met
    offset 0
  ) c
  join (values {_TERMS}) as r(tier, response, resolution, together, review_from) on r.tier = c.tier
""".strip()


# The newest MRR before the end of a month `c`, or the first one behind it: each at one end of its stretch of the key.
_MRR: Final = """
  select value, true as is_told from state_history
  where tenant = c.tenant and kind = 'account' and field = 'mrr' and who = c.account and account = c.account and {when}
  order by time_us {way}, source collate "C" desc, id collate "C" desc limit 1
"""


def sla_credits(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`sla_credits(tenant, win, dims, percent, fee, credit, misses, reviews)`: a row an account, tier and month with misses.

    A month of the support zone belongs to the window in which its fifteenth lies, with all of its days; its fee is the
    account's newest MRR before its end, however far it has come, and null where there is none (its currency is then that
    of the first one behind it, else the tenant's). A review is due in the month of the quarter's third miss.
    """
    asked = Asked.of(by, filtered)
    accounts = Accounts(asked, "c.account")
    columns = {"tier": "c.tier", "currency": "coalesce(f.currency, d.config #>> '{tenant,currency}', '')"} | accounts.columns
    conditions = [f"{columns[name]} = any({asked.values(name)})" for name in ("tier", "currency") if name in asked.filtered]
    where = "".join(f"\n  and {condition}" for condition in conditions + accounts.conditions())
    return f"""
with months as materialized (
{_MONTHS}
), quarters as materialized (
{_QUARTERS}
), missed as (
{_MISSED}
), monthly as (
  select m.tenant, m.win, m.to_us, c.account, c.tier, count(*) as misses, bool_or(c.number = c.review_from) as has_review,
         case when count(*) >= {SEVERAL} and min(c.together) is not null then min(c.together)
           else least({WHOLE}, sum(case c.measure when 'response' then c.response else c.resolution end)) end as percent
  from months m
  join missed c on c.tenant = m.tenant and c.at_us >= m.from_us and c.at_us < m.to_us
  group by m.tenant, m.win, m.from_us, m.to_us, c.account, c.tier
)
select w.tenant, w.win, {asked.dims(columns)} as dims, c.percent, f.fee, p.whole + case
         when p.rest > {WHOLE // 2} or (p.rest = {WHOLE // 2} and p.whole % 2 = 1) then 1 else 0 end as credit,
       c.misses, c.has_review::int as reviews
from wins w{accounts.join("w")}
join declared d on d.tenant = w.tenant
join monthly c on c.tenant = w.tenant and c.win = w.win
left join lateral ({_MRR.format(when="time_us < c.to_us", way="desc")}) m on true
left join lateral ({_MRR.format(when="m.is_told is null and time_us >= c.to_us", way="asc")}) n on true
cross join lateral (
  select split_part(m.value, ' ', 1)::numeric as fee,
         split_part(case when m.is_told then m.value else n.value end, ' ', 2) as currency
  offset 0
) f
cross join lateral (
  select floor(f.fee * c.percent / {WHOLE}) as whole,
         f.fee * c.percent - {WHOLE} * floor(f.fee * c.percent / {WHOLE}) as rest
) p
where true{where}""".strip()


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {"sla_credits": sla_credits}
NEEDS: Mapping[str, tuple[str, ...]] = {"sla_credits": ("wins", "declared", "ticket_reach", "ticket_dues")}
