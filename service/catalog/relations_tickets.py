"""The relations of support tickets: those that were opened, answered, escalated, resolved in a window, or are open at its end."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.store.tickets import TIER

_OWN: Final = ("category", "priority")
MICROS: Final = "(extract(epoch from {}) * 1000000)::bigint"


def ticket_dims(asked: Asked, *, tier: str = "r.tier") -> tuple[Accounts, dict[str, str], list[str]]:
    """The accounts, the columns and the conditions of tickets `c`; `tier` is the column of theirs."""
    accounts = Accounts(asked, "c.account")
    columns = {name: f"coalesce(c.{name}, '')" for name in _OWN} | {"tier": f"coalesce({tier}, '')"}
    conditions = [f"{columns[name]} = any({asked.values(name)})" for name in columns if name in asked.filtered]
    return accounts, columns | accounts.columns, conditions + accounts.conditions()


def _tickets(asked: Asked, found: str, shown: str) -> str:
    """Tickets `c` that are found for each window `w`, looked up by key, that pass the filters, with what is shown of them."""
    accounts, columns, conditions = ticket_dims(asked)
    tier = f"\nleft join lateral ({TIER.strip()}) r on true" if asked.names("tier") else ""
    where = f"\nwhere {' and '.join(conditions)}" if conditions else ""
    return (
        f"select w.win, {asked.dims(columns)} as dims, {shown}\n"
        f"from wins w{accounts.join('w')}\ncross join lateral (\n{found}\n  offset 0\n) c{tier}{where}"
    )


def tickets_of(head: Head, by: tuple[str, ...], filtered: frozenset[str], *, moment: str) -> str:  # noqa: ARG001
    """`tickets_opened` …: `(tenant, win, dims …)`, those whose moment lies in the window, as known now."""
    found = (
        f"  select * from ticket where tenant = w.tenant and {moment}_us >= {MICROS.format('w.start_at')}"
        f" and {moment}_us < {MICROS.format('w.end_at')}"
    )
    return _tickets(Asked.of(by, filtered), found, "c.*")


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
    "tickets_opened": partial(tickets_of, moment="opened"),
    "tickets_answered": partial(tickets_of, moment="first_response"),
    "tickets_escalated": partial(tickets_of, moment="escalated"),
    "tickets_resolved": partial(tickets_of, moment="resolved"),
    "tickets_open": tickets_open,
}
NEEDS: Mapping[str, tuple[str, ...]] = dict.fromkeys(BUILT, ("wins",))
