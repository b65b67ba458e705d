"""The relations of support tickets: those that were opened, answered, escalated, resolved in a window, or are open at its end."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.tiers import looked_up, tier_of, told_tiers

_OWN: Final = ("category", "priority")
MICROS: Final = "(extract(epoch from {}) * 1000000)::bigint"
_BEFORE: Final = "interval '30 days'"
"""Of what was opened longer before a window, and answered or resolved in it, the tier is looked up ticket by ticket."""


def ticket_dims(asked: Asked) -> tuple[Accounts, dict[str, str], list[str]]:
    """The accounts, the columns and the conditions of tickets `c`."""
    accounts = Accounts(asked, "c.account")
    columns = {name: f"coalesce(c.{name}, '')" for name in _OWN} | {"tier": "coalesce(c.tier, '')"}
    conditions = [f"{columns[name]} = any({asked.values(name)})" for name in columns if name in asked.filtered]
    return accounts, columns | accounts.columns, conditions + accounts.conditions()


def _tickets(asked: Asked, found: str, shown: str, tier: str = looked_up(), joins: str = "") -> str:
    """Tickets `c` that are found for each window `w`, looked up by key, that pass the filters, with what is shown of them."""
    accounts, columns, conditions = ticket_dims(asked)
    where = f"\nwhere {' and '.join(conditions)}" if conditions else ""
    if asked.names("tier"):
        found = f"  select c.*, {tier} as tier from (\n{found}\n  ) c"
    return (
        f"select w.win, {asked.dims(columns)} as dims, {shown}\n"
        f"from wins w{accounts.join('w')}{joins}\ncross join lateral (\n{found}\n  offset 0\n) c{where}"
    )


def ticket_tiers(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`ticket_tiers(tenant, first_us, last_us, told, later)`: `told_tiers` of what was opened not long before the windows.

    Nothing where no tiers are asked for, or those of chosen accounts: theirs are looked up.
    """
    if not _reads_told(Asked.of(by, filtered)):
        return "select tenant from wins where false"
    return f"""
with reach as (
  select tenant, {MICROS.format(f"min(start_at) - {_BEFORE}")} as first_us, {MICROS.format("max(end_at)")} as last_us
  from wins group by tenant
), {told_tiers("reach")}
select r.*, t.told, t.later from reach r left join told_tiers t on t.tenant = r.tenant""".strip()


def _reads_told(asked: Asked) -> bool:
    return asked.names("tier") and "account" not in asked.filtered


def tickets_of(head: Head, by: tuple[str, ...], filtered: frozenset[str], *, moment: str) -> str:  # noqa: ARG001
    """`tickets_opened` …: `(tenant, win, dims …)`, those whose moment lies in the window, as known now."""
    asked = Asked.of(by, filtered)
    found = (
        f"  select * from ticket where tenant = w.tenant and {moment}_us >= {MICROS.format('w.start_at')}"
        f" and {moment}_us < {MICROS.format('w.end_at')}"
    )
    if not _reads_told(asked):
        return _tickets(asked, found, "c.*")
    tier = f"case when c.opened_us between t.first_us and t.last_us then {tier_of('t')} else {looked_up()} end"
    return _tickets(asked, found, "c.*", tier, "\njoin ticket_tiers t on t.tenant = w.tenant")


def tickets_open(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`tickets_open(tenant, win, dims, age_us)`: open tickets and their ages at the window's end, however far it has come.

    Open are those whose newest `resolved` or `reopened` up to then is no `resolved`. The time in which one was resolved before
    is no part of its age.
    """
    until, end = MICROS.format("w.until_at"), MICROS.format("w.end_at")
    found = f"""
  select * from (
    select * from ticket where tenant = w.tenant and resolved_us is null
    union all
    select * from ticket where tenant = w.tenant and resolved_us >= {end}
  ) t
  where t.opened_us < {end} and not exists (
    select from (
      select fields ->> 'action' as move from step
      where tenant = t.tenant and family = 'ticket' and subject = t.subject and time_us < {end}
        and fields ->> 'action' in ('resolved', 'reopened')
      order by time_us desc, fields ->> 'action' = 'reopened' desc limit 1
    ) newest where newest.move = 'resolved'
  )""".strip("\n")
    idle = f"select sum(least(g.to_us, {until}) - g.from_us) from unnest(c.gap_from_us, c.gap_to_us) as g(from_us, to_us)"
    age = f"greatest(0, {until} - c.opened_us - coalesce(({idle} where g.from_us < {until}), 0))::bigint as age_us"
    return _tickets(Asked.of(by, filtered), found, f"c.tenant, {age}")


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "ticket_tiers": ticket_tiers,
    "tickets_opened": partial(tickets_of, moment="opened"),
    "tickets_answered": partial(tickets_of, moment="first_response"),
    "tickets_escalated": partial(tickets_of, moment="escalated"),
    "tickets_resolved": partial(tickets_of, moment="resolved"),
    "tickets_open": tickets_open,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(BUILT, ("wins", "ticket_tiers")),
    **dict.fromkeys(("ticket_tiers", "tickets_open"), ("wins",)),
}
