"""The relations of unit economics: what was spent in a window, what is left in the bank, how many months a window has."""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.relations_facts import facts_relation

DAYS_A_MONTH: Final = "30.4375"
"""kpis.md, *Windows*: what a month is where the window is none."""
DIGITS: Final = 40
"""Decimals that quotients are told with: Postgres's own choice, 16 digits that count, can round a value to the next float."""
_LOCAL: Final = "({}) at time zone (d.config #>> '{{tenant,timezone}}')"


def elapsed_months(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`elapsed_months(tenant, win, months, booked)`: months that have passed, of a calendar month a part of it.

    `booked` says how many months' costs it stands for: a calendar month's are one month's, however far it has come, for costs are
    booked by the month.
    """
    seconds = f"extract(epoch from {_LOCAL.format('w.until_at')} - {_LOCAL.format('w.start_at')})::numeric"
    days = f"round({seconds}, {DIGITS}) / 86400"
    is_month = "extract(day from w.first_day) = 1 and w.end_day = (w.first_day + interval '1 month')::date"
    return (
        "select tenant, win, case when is_month then days / whole else days / "
        f"{DAYS_A_MONTH} end as months, case when is_month then 1 else days / {DAYS_A_MONTH} end as booked\n"
        f"from (\n  select w.tenant, w.win, {days} as days, w.end_day - w.first_day as whole, {is_month} as is_month\n"
        "  from wins w join declared d on d.tenant = w.tenant\n) w\nwhere days > 0"
    )


def costs(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`costs(tenant, win, dims, amount)`: values of the head's meters in the window, in minor units (numeric).

    A segment of customers is that which the meter's attribute of the trait's name says, else that of the account which it names.
    """
    asked = Asked.of(by, filtered)
    accounts = Accounts(asked, "f.account")
    columns = {"account": "f.account", "currency": "coalesce(f.d ->> 'currency', '')"}
    columns["tier"] = "coalesce(f.d ->> 'attribute.tier', '')"
    for name, of_account in accounts.values.items():
        named = f"f.d ->> ('attribute.' || {asked.trait(name)})"
        columns[name] = f"coalesce(nullif({named}, ''), {of_account})"
    conditions = [f"{column} = any({asked.values(name)})" for name, column in columns.items() if name in asked.filtered]
    conditions += [f"{columns[name]} <> ''" for name in columns if name in by and name != "currency"]
    where = f"\nwhere {' and '.join(conditions)}" if conditions else ""
    return (
        f"select f.tenant, f.win, {asked.dims(columns)} as dims, f.total * 0.000000001 as amount\n"
        f"from (\n{facts_relation(head, (), frozenset())}\n) f{accounts.join('f')}{where}"
    )


def burned(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`burned(tenant, win, dims, amount)`: costs a month less MRR; no row where no costs were told."""
    only = f"\nwhere dims ->> 'currency' = any({Asked.of(by, filtered).values('currency')})" if "currency" in filtered else ""
    return (
        "select tenant, win, dims, sum(amount) as amount\nfrom (\n"
        "  select c.tenant, c.win, c.dims, c.amount / o.booked as amount, true as is_cost\n"
        "  from costs c join elapsed_months o on o.tenant = c.tenant and o.win = c.win\n"
        "  union all\n"
        "  select tenant, win, dims, -amount, false from accounts_at_end where customer and amount is not null\n"
        f") told{only}\ngroup by tenant, win, dims\nhaving bool_or(is_cost)"
    )


def balances(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`balances(tenant, win, dims, amount)`: the newest `cash.balance` of each of its series, added up; windows of whole days."""
    asked = Asked.of(by, filtered)
    currency = "coalesce(s.dims ->> 'currency', '')"
    only = f" and {currency} = any({asked.values('currency')})" if "currency" in filtered else ""
    return (
        f"select w.tenant, w.win, {asked.dims({'currency': currency})} as dims, sum(f.newest_value) * 0.000000001 as amount\n"
        "from wins w\njoin series s on s.tenant = w.tenant and s.kind = 'meter'\n"
        f"  and s.dims ->> 'meter' = 'cash.balance'{only}\n"
        "cross join lateral (\n"
        "  select newest_value from fact_day where series = s.id and day <= w.last_day order by day desc limit 1\n"
        ") f\ngroup by 1, 2, 3"
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "elapsed_months": elapsed_months,
    "costs": costs,
    "balances": balances,
    "burned": burned,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "elapsed_months": ("wins", "declared"),
    "costs": ("wins", "minutes", "quarters", "spans"),
    "balances": ("wins",),
    "burned": ("costs", "elapsed_months", "accounts_at_end"),
}
