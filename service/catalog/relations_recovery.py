"""The relations of recovery: cases that became at risk or were recovered in a window, and what they cost and brought."""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.store.dated import micros, newest
from service.store.recoveries import RECOVERIES

_BOUNDS: Final = f"{micros('w.start_at')} as from_us, {micros('w.end_at')} as to_us"
_LOCAL: Final = "(timestamptz 'epoch' + a.{}_us * interval '1 microsecond') at time zone a.zone"


def at_risk_cases(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`at_risk_cases(tenant, win, subject, account, channel, began_us, recovered_us, amount, amount_currency, dims)`.

    Those that became at risk in the window, with what became of them by now; `week` is the Monday of the one they began in.
    """
    return _cases(Asked.of(by, filtered), "began")


def recovered_cases(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`recovered_cases`: the same of those that were recovered in the window; `week` is that of the recovery."""
    return _cases(Asked.of(by, filtered), "recovered")


def recovered_money(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`recovered_money(tenant, win, account, dims, currency, revenue, incentive)`: of each recovered case, a row a currency.

    Revenue is that of the `recovered` step (null: none was told), incentives those of all steps of its case.
    """
    asked = Asked.of(by, filtered)
    only = f"\nwhere m.currency = any({asked.values('currency')})" if "currency" in filtered else ""
    return (
        f"select c.tenant, c.win, c.account, c.dims || {asked.dims({'currency': 'm.currency'})} as dims, m.*\n"
        "from recovered_cases c\ncross join lateral (\n"
        "  select currency, sum(revenue) as revenue, sum(incentive) as incentive from (\n"
        "    select c.amount_currency as currency, c.amount as revenue, 0 as incentive where c.amount is not null\n"
        "    union all\n"
        "    select fields ->> 'incentive_currency', null, (fields ->> 'incentive')::numeric from step\n"
        "    where tenant = c.tenant and family = 'recovery' and subject = c.subject and fields ? 'incentive'\n"
        f"  ) told group by currency\n) m{only}"
    )


def first_recoveries(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`first_recoveries(tenant, win, account, at_risk_us, recovered_us, dims)`: accounts first recovered in the window."""
    asked = Asked.of(by, filtered)
    accounts = Accounts(asked, "a.account")
    columns = accounts.columns | {"tier": "coalesce(t.value, '')"}
    conditions = ["a.recovered_us >= a.from_us", "a.recovered_us < a.to_us", *accounts.conditions()]
    conditions += [f"{columns[name]} = any({asked.values(name)})" for name in ("tier",) if name in filtered]
    tier = newest("tier", tenant="a.tenant", account="a.account", before_us="a.to_us")
    joins = f"\nleft join lateral ({tier}) t on true" if asked.names("tier") else ""
    return (
        f"select a.*, {asked.dims(columns)} as dims\nfrom (\n"
        f"  select w.tenant, w.win, {_BOUNDS}, s.* from wins w cross join lateral (\n"
        "    select account, min(time_us) filter (where fields ->> 'action' = 'at_risk') as at_risk_us,\n"
        "      min(time_us) filter (where fields ->> 'action' = 'recovered') as recovered_us\n"
        f"    from step where tenant = w.tenant and family = 'recovery' and time_us < {micros('w.end_at')} and account <> ''\n"
        "    group by account\n"
        f"  ) s\n) a{joins}{accounts.join('a')}\nwhere {' and '.join(conditions)}"
    )


def _cases(asked: Asked, moment: str) -> str:
    """Cases whose moment lies in the window: found by a step of the window, then judged by all of their steps."""
    accounts = Accounts(asked, "a.account")
    columns = accounts.columns | {
        "channel": "a.channel",
        "tier": "coalesce(t.value, '')",
        "week": f"date_trunc('week', {_LOCAL.format(moment)})::date::text",
    }
    conditions = [f"a.{moment}_us >= a.from_us", f"a.{moment}_us < a.to_us", *accounts.conditions()]
    conditions += [
        f"{columns[name]} = any({asked.values(name)})" for name in ("channel", "tier", "week") if name in asked.filtered
    ]
    joins = ""
    if asked.names("tier"):
        tier = newest("tier", tenant="a.tenant", account="a.account", before_us="a.began_us + 1")
        joins = f"\nleft join lateral ({tier}) t on true"
    told = " and fields ->> 'action' = 'recovered'" if moment == "recovered" else ""
    return (
        "with sought as (\n"
        f"  select distinct w.tenant, w.win, {_BOUNDS}, d.config #>> '{{tenant,timezone}}' as zone, s.subject\n"
        "  from wins w\n"
        "  join declared d on d.tenant = w.tenant\n"
        "  cross join lateral (\n"
        "    select subject from step\n"
        f"    where tenant = w.tenant and family = 'recovery' and time_us >= {micros('w.start_at')}\n"
        f"      and time_us < {micros('w.end_at')}{told}\n"
        "    offset 0\n"
        f"  ) s\n), cases as (\n{RECOVERIES.strip()}\n)\n"
        f"select a.*, {asked.dims(columns)} as dims\nfrom cases a{joins}{accounts.join('a')}\nwhere {' and '.join(conditions)}"
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "at_risk_cases": at_risk_cases,
    "recovered_cases": recovered_cases,
    "recovered_money": recovered_money,
    "first_recoveries": first_recoveries,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "at_risk_cases": ("wins", "declared"),
    "recovered_cases": ("wins", "declared"),
    "recovered_money": ("recovered_cases",),
    "first_recoveries": ("wins", "declared"),
}
