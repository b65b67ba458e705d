"""The relations of which limits of support there are, and where the amounts of a ticket stand.

The rules, and the oracle that tests hold these statements to, are service/domain/support.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, get_args

from service.catalog.kpi import Head
from service.catalog.relations_hours import support_hours
from service.domain.config.terms import Tier
from service.domain.support.rules import PRIORITIES

MEASURES: Final = ("response", "mitigation", "resolution")
AMOUNTS: Final = tuple(f"{measure}_{hours}_us" for measure in MEASURES for hours in ("clock", "worked"))
"""Columns of the least amount of time of several limits: by what is limited, and by which hours count."""
LEASTS: Final = tuple(f"{measure}_least_us" for measure in MEASURES)
"""The lesser of both."""
TIERS: Final[tuple[str, ...]] = get_args(Tier)
UNLIMITED: Final = 2**62
"""In place of a least amount: further than any time."""
_NO_LIMIT: Final = -1
"""In arrays, where a null would make each look-up walk from their beginning."""


def limit_tables(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`limit_tables(tenant, has_special, AMOUNTS …, LEASTS …)`: the limits that tier, priority and hours decide.

    Each amount is an array with a place for each of these: see `place`. `has_special`: there are other limits beside them.
    """
    matches = (
        f"not ({SPECIAL}) and (l.tier is null or l.tier = t.tier) and (l.priority is null or l.priority = p.priority)"
        " and (l.opened = '' or (l.opened = 'in_hours') = h.in_hours)"
    )
    amounts = ", ".join(
        f"coalesce(min(l.amount_us) filter (where l.is_here and {which}), {_NO_LIMIT}) as {name}" for name, which in _which("l")
    )
    leasts = ", ".join(
        f"coalesce(min(l.amount_us) filter (where l.is_here and l.measure = '{measure}'), {UNLIMITED}) as {measure}_least_us"
        for measure in MEASURES
    )
    arrays = ", ".join(
        f"array_agg(m.{name} order by m.tier_n, m.priority_n, m.hours_n) as {name}" for name in (*AMOUNTS, *LEASTS)
    )
    tiers, priorities = (", ".join(f"('{name}', {number})" for name, number in _numbered(names)) for names in (TIERS, PRIORITIES))
    # Each limit meets each place once: looked for place by place, all limits of all tenants were gone through for every one.
    return f"""
select m.tenant, bool_or(m.has_special) as has_special, {arrays}
from (
  select l.tenant, l.tier_n, l.priority_n, l.hours_n, bool_or({SPECIAL}) as has_special, {amounts}, {leasts}
  from (
    select l.*, t.n as tier_n, p.n as priority_n, h.n as hours_n, {matches} as is_here
    from sla_limits l
    cross join (values (null, 0), {tiers}) as t(tier, n)
    cross join (values (null, 0), {priorities}) as p(priority, n)
    cross join (values (0, false), (1, true)) as h(n, in_hours)
    where l.tenant in (select tenant from support_hours)
    offset 0
  ) l
  group by l.tenant, l.tier_n, l.priority_n, l.hours_n
) m
group by m.tenant""".strip()


SPECIAL: Final = "l.category is not null or l.account is not null or l.within_days is not null"
"""Limits `l` that have to be looked for ticket by ticket."""


def place(ticket: str, in_hours: str) -> str:
    """The place of a ticket's limits in the arrays of `limit_tables`: those of no tier and of no priority come first.

    Told apart by name: there are few, and to look for one in an array takes ten times as long.
    """
    tier, priority = (
        " ".join(
            [f"case {ticket}.{column}", *(f"when '{name}' then {number}" for name, number in _numbered(names)), "else 0 end"]
        )
        for column, names in (("tier", TIERS), ("priority", PRIORITIES))
    )
    return f"1 + {in_hours}::int + 2 * ({priority} + {1 + len(PRIORITIES)} * {tier})"


def amount(ticket: str, name: str) -> str:
    """One of AMOUNTS of a ticket: what its place in the arrays says, or its `special` limits: the stricter one."""
    return f"least(nullif({ticket}.{name}_at[{ticket}.place], {_NO_LIMIT}), {ticket}.special[{AMOUNTS.index(name) + 1}])"


def least_amount(ticket: str, measure: str) -> str:
    """The least amount of time that a limit of a ticket may leave, by whichever hours; UNLIMITED where it has none."""
    first = AMOUNTS.index(f"{measure}_clock_us") + 1
    of_special = f"{ticket}.special[{first}], {ticket}.special[{first + 1}]"
    return f"least({ticket}.{measure}_least_us_at[{ticket}.place], {of_special})"


def _numbered(names: Sequence[str]) -> Iterable[tuple[str, int]]:
    return ((name, number) for number, name in enumerate(names, 1))


def special(ticket: str, in_hours: str) -> str:
    """The select of an array of AMOUNTS of a ticket's special limits."""
    least = ", ".join(f"min(l.amount_us) filter (where {which})" for _, which in _which("l"))
    return f"""
    select array[{least}]
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
    "support_hours": support_hours,
    "limit_tables": limit_tables,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "support_hours": ("wins", "declared", "holidays", "ticket_reach"),
    "limit_tables": ("sla_limits", "support_hours"),
}
