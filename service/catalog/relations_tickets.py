"""The relations of support tickets: those that something happened to in the windows, and those that are open at their ends."""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.store.tickets import CASES, TIER

_OWN: Final = ("category", "priority")
_US: Final = "(extract(epoch from {}) * 1000000)::bigint"
_AT: Final = "timestamptz 'epoch' + c.{0}_us * interval '1 microsecond' as {0}_at"
_MOMENTS: Final = ("opened", "first_response", "escalated", "resolved")

# Every moment that is counted is that of a step, so tickets without one in the windows need not be looked at.
_MOVED: Final = """
select distinct w.tenant, s.subject
from (select tenant, min(start_at) as start_at, max(end_at) as end_at from wins group by tenant) w
cross join lateral (
  select subject from step
  where tenant = w.tenant and family = 'ticket' and time_us >= {start} and time_us < {end}
  offset 0
) s""".format(start=_US.format("w.start_at"), end=_US.format("w.end_at"))

# Tickets that had been opened by the end of a window and whose newest `resolved` or `reopened` before it was no `resolved`.
_STANDING: Final = """
select distinct w.tenant, s.subject
from wins w
cross join lateral (
  select subject, (array_agg(action order by time_us desc, action = 'reopened' desc)
                     filter (where action in ('resolved', 'reopened')))[1] as move
  from (
    select subject, time_us, fields ->> 'action' as action from step
    where tenant = w.tenant and family = 'ticket' and time_us < {end}
    offset 0
  ) steps
  group by subject
) s
where s.move is distinct from 'resolved'""".format(end=_US.format("w.end_at"))


def ticket_dims(asked: Asked, *, tier: str = "r.tier") -> tuple[Accounts, dict[str, str], list[str]]:
    """The accounts, the columns and the conditions of tickets `c`; `tier` is the column of theirs."""
    accounts = Accounts(asked, "c.account")
    columns = {name: f"coalesce(c.{name}, '')" for name in _OWN} | {"tier": f"coalesce({tier}, '')"}
    conditions = [f"{columns[name]} = any({asked.values(name)})" for name in columns if name in asked.filtered]
    return accounts, columns | accounts.columns, conditions + accounts.conditions()


def moved_tickets(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`moved_tickets`: every ticket that some step tells of in the windows, as known now; columns: store/tickets.py."""
    return f"with subjects as ({_MOVED}\n)\n{CASES.strip()}"


def tickets_asked(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`tickets_asked(tenant, win …)`: what passes the filters, a row a window, with `dims`, `opened_at` …."""
    asked = Asked.of(by, filtered)
    accounts, columns, conditions = ticket_dims(asked)
    tier = f"\nleft join lateral ({TIER.strip()}) r on true" if asked.names("tier") else ""
    where = f"\nwhere {' and '.join(conditions)}" if conditions else ""
    moments = ", ".join(_AT.format(name) for name in _MOMENTS)
    return (
        f"select w.win, c.*, {asked.dims(columns)} as dims, {moments}\n"
        f"from wins w{accounts.join('w')}\njoin moved_tickets c on c.tenant = w.tenant{tier}{where}"
    )


def tickets_open(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`tickets_open(tenant, win, dims, age_us)`: open tickets and their ages at the window's end, however far it has come.

    The time in which one was resolved before is no part of its age.
    """
    asked = Asked.of(by, filtered)
    accounts, columns, conditions = ticket_dims(asked)
    tier = f"\nleft join lateral ({TIER.strip()}) r on true" if asked.names("tier") else ""
    where = "".join(f"\n  and {condition}" for condition in conditions)
    until, end = _US.format("w.until_at"), _US.format("w.end_at")
    idle = f"select sum(least(g.to_us, {until}) - g.from_us) from unnest(c.gap_from, c.gap_to) as g(from_us, to_us)"
    return (
        f"with subjects as ({_STANDING.strip()}), cases as ({CASES.strip()}\n)\n"
        f"select w.tenant, w.win, {asked.dims(columns)} as dims,\n"
        f"  greatest(0, {until} - c.opened_us - coalesce(({idle} where g.from_us < {until}), 0))::bigint as age_us\n"
        f"from wins w{accounts.join('w')}\njoin cases c on c.tenant = w.tenant{tier}\n"
        f"where c.opened_us < {end} and not exists (\n"
        "  select from (\n"
        "    select fields ->> 'action' as move from step\n"
        "    where tenant = c.tenant and family = 'ticket' and subject = c.subject and time_us < {end}\n"
        "      and fields ->> 'action' in ('resolved', 'reopened')\n"
        "    order by time_us desc, fields ->> 'action' = 'reopened' desc limit 1\n"
        "  ) newest where newest.move = 'resolved'\n"
        f"){where}"
    ).replace("{end}", end)


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "moved_tickets": moved_tickets,
    "tickets_asked": tickets_asked,
    "tickets_open": tickets_open,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "moved_tickets": ("wins",),
    "tickets_asked": ("wins", "moved_tickets"),
    "tickets_open": ("wins",),
}
