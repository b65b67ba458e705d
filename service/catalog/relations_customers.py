"""The relations of customers: how accounts stood at both ends of a window, what they paid, who came and who was lost.

From kpis.md and events.md: customers are accounts whose newest status before the instant is among `activity.customer_statuses`;
MRR, tier and status count as of that instant, for which the window's end is how far the window has come. Every value is looked up
by key, account by account: what it costs follows the number of accounts, not how often their values were sent.
"""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.store.dated import KNOWN, micros, newest, newest_money, newest_of_all

_STATUSES: Final = "d.config #> '{activity,customer_statuses}'"
_OF: Final = {"tenant": "i.tenant", "account": "k.who", "before_us": "i.at_us"}
_OF_STANDING: Final = {"tenant": "a.tenant", "account": "a.account", "before_us": "a.at_us"}
YEAR_DAYS: Final = 365
"""Windows as long as this are looked at month by month where churn is asked for."""

# The ends of windows from which on churn is counted: both, and of a year the beginnings of its months between them.
_EDGES: Final = f"""
select w.tenant, w.win, e.at, {micros("e.at")} as at_us, {_STATUSES} as statuses,
       count(*) over (partition by w.tenant, w.win) - 1 as parts
from wins w
join declared d on d.tenant = w.tenant
cross join lateral (
  select w.start_at as at
  union
  select w.until_at
  union
  select m.local at time zone (d.config #>> '{{tenant,timezone}}')
  from generate_series(
    date_trunc('month', w.first_day::timestamp) + interval '1 month', w.last_day::timestamp, interval '1 month'
  ) as m(local)
  where w.end_day - w.first_day >= {YEAR_DAYS}
) e""".strip()


def accounts_at_start(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`accounts_at_start(tenant, win, account, at_us, status, customer)`, for KPIs of money `amount, currency` of customers."""
    return _standing(head, Asked.of(by, filtered), "start_at", tier=False)


def accounts_at_end(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`accounts_at_end`: the same as of the window's end, with `dims`; those that pass the filters, whatever their currency."""
    asked = Asked.of(by, filtered)
    accounts = Accounts(asked, "a.account")
    columns = accounts.columns | {"status": "a.status", "tier": "coalesce(a.tier, '')", "currency": "coalesce(a.currency, '')"}
    conditions = [*accounts.conditions(), *_conditions(asked, columns, ("status", "tier"))]
    where = f"\nwhere {' and '.join(conditions)}" if conditions else ""
    standing = _standing(head, asked, "until_at", tier=asked.names("tier"))
    return f"select a.*, {asked.dims(columns)} as dims\nfrom (\n{standing}\n) a{accounts.join('a')}{where}"


def usage_fees_at_end(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # built alike
    """`usage_fees_at_end(tenant, win, dims, amount)`: of customers; only where the statistic `usage_fees` is wanted."""
    asked = Asked.of(by, filtered)
    fees = newest_money("usage_fees", **_OF_STANDING)
    only = f" and f.currency = any({asked.values('currency')})" if "currency" in filtered else ""
    return (
        f"select a.tenant, a.win, a.dims || {asked.dims({'currency': 'f.currency'})} as dims, f.amount\n"
        f"from accounts_at_end a cross join lateral ({fees}) f\n"
        f"where a.customer and 'usage_fees' = any(:statistics) and exists (\n"
        "  select from state_history where tenant = a.tenant and kind = 'account' and field = 'usage_fees'\n"
        f"){only}"
    )


def first_customers(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`first_customers(tenant, win, account, dims)`: accounts that became customers in the window, and never before."""
    asked = Asked.of(by, filtered)
    accounts = Accounts(asked, "a.account")
    columns = accounts.columns | {"tier": "coalesce(a.tier, '')"}
    conditions = [*accounts.conditions(), *_conditions(asked, columns, ("tier",))]
    where = f"\nwhere {' and '.join(conditions)}" if conditions else ""
    tier, joined = _tier(wanted=asked.names("tier"))
    key = ("i.tenant", "k.who", "i.statuses")
    return (
        f"select a.tenant, a.win, a.account, {asked.dims(columns)} as dims\nfrom (\n"
        f"  select i.tenant, i.win, k.who as account{tier}\n"
        f"  from (\n"
        f"    select w.tenant, w.win, {micros('w.start_at')} as from_us, {micros('w.until_at')} as at_us,\n"
        f"      {_STATUSES} as statuses\n"
        f"    from wins w join declared d on d.tenant = w.tenant\n"
        f"  ) i\n"
        f"  cross join lateral ({_known(asked)}) k\n"
        f"  cross join lateral ({as_customer(*key, 'h.time_us >= i.from_us and h.time_us < i.at_us')}) f{joined}\n"
        f"  where not exists ({as_customer(*key, 'h.time_us < i.from_us')})\n"
        f") a{accounts.join('a')}{where}"
    )


def customers_moved(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`customers_moved(tenant, win, account, dims, was, is_now, is_first, paid, paid_in, pays, pays_in)`: of either end.

    Customers with their MRR and its currency at the start and at the end, and whether one that is new was none ever before;
    `dims` without the currency. Both ends come together by grouping, for no plan can make a loop of that.
    """
    before = as_customer("g.tenant", "g.account", _STATUSES, "h.time_us < g.from_us")
    return (
        "select g.*, not g.was and g.is_now and not exists (\n"
        f"  select from declared d cross join lateral ({before}) h where d.tenant = g.tenant\n"
        ") as is_first\nfrom (\n"
        "  select tenant, win, account, (array_agg(dims) filter (where at_end))[1] - 'currency' as dims,\n"
        "    min(from_us) as from_us,\n"
        "    coalesce(bool_or(customer) filter (where not at_end), false) as was,\n"
        "    bool_or(customer) filter (where at_end) as is_now,\n"
        "    max(amount) filter (where not at_end) as paid, max(currency) filter (where not at_end) as paid_in,\n"
        "    max(amount) filter (where at_end) as pays, max(currency) filter (where at_end) as pays_in\n"
        "  from (\n"
        "    select e.tenant, e.win, e.account, e.dims, true as at_end, e.customer, e.amount, e.currency,\n"
        f"      {micros('w.start_at')} as from_us\n"
        "    from accounts_at_end e join wins w on w.tenant = e.tenant and w.win = e.win\n"
        "    union all\n"
        "    select tenant, win, account, null, false, customer, amount, currency, null from accounts_at_start\n"
        "  ) ends\n"
        "  group by tenant, win, account\n"
        "  having bool_or(at_end) and bool_or(customer)\n"
        ") g"
    )


def cohorts(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`cohorts(tenant, win, account, parts, churned, reason, dims)`: customers of a window's start, and what became of them.

    Of a year a row a month that has begun (`parts` of them): customers of its start as they stand at its end. KPIs of money have
    `amount` besides, the MRR at the start; `reason` is that of a churn, and not in `dims`.
    """
    asked = Asked.of(by, filtered)
    accounts = Accounts(asked, "a.account")
    columns = accounts.columns | {"tier": "coalesce(t.value, '')", "currency": "m.currency"}
    names = ("tier", "currency") if "currency" in head.dimensions else ("tier",)
    conditions = ["a.customer", "a.status_then is not null", *accounts.conditions(), *_conditions(asked, columns, names)]
    joins, money, reason = "", "", "null::text"
    if "currency" in head.dimensions:
        money = ", m.amount"
        joins += f"\ncross join lateral ({newest_money('mrr', **_OF_STANDING)}) m"
    if asked.names("tier"):
        joins += f"\nleft join lateral ({newest('tier', **_OF_STANDING)}) t on true"
    if asked.names("reason"):
        reason = f"case when a.status_then = 'churned' then coalesce(({_reason_of_churn()}), '') end"
    return (
        f"with edges as (\n{_EDGES}\n), standing as (\n"
        "  select i.tenant, i.win, i.at_us, i.parts, i.account, i.customer,\n"
        "    lead(i.status) over later as status_then, lead(i.at_us) over later as then_us\n"
        "  from (\n"
        "    select i.tenant, i.win, i.at_us, i.parts, k.who as account, s.value as status, i.statuses ? s.value as customer\n"
        f"    from ({_with_told('edges', 'status')}) i\n"
        f"    cross join lateral ({_known(asked)}) k cross join lateral ({_newest('status')}) s\n"
        "    where s.value is not null offset 0\n"
        "  ) i\n"
        "  window later as (partition by i.tenant, i.win, i.account order by i.at_us)\n"
        f")\nselect a.tenant, a.win, a.account, a.parts, a.status_then = 'churned' as churned,\n"
        f"  {reason} as reason{money}, {asked.dims(columns)} as dims\n"
        f"from standing a{joins}{accounts.join('a')}\nwhere {' and '.join(conditions)}"
    )


def contracts(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`contracts(tenant, win, account, dims, begins, ends)`: of customers, as of the window's end; both dates are known."""
    return (
        "select a.tenant, a.win, a.account, a.dims, b.value::date as begins, e.value::date as ends\n"
        f"from accounts_at_end a\ncross join lateral ({newest('contract_start', **_OF_STANDING)}) b\n"
        f"cross join lateral ({newest('contract_end', **_OF_STANDING)}) e\nwhere a.customer"
    )


def renewals(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`renewals(tenant, win, account, dims, day)`: the date of customers' renewal, as of the window's end."""
    return (
        "select a.tenant, a.win, a.account, a.dims, r.value::date as day\n"
        f"from accounts_at_end a\ncross join lateral ({newest('renewal', **_OF_STANDING)}) r\nwhere a.customer"
    )


def as_customer(tenant: str, account: str, statuses: str, when: str) -> str:
    """The select of one row where an account had a customer's status at an instant `when` (a condition over `h.time_us`).

    Of several statuses of one instant the newest counts.
    """
    of = f"tenant = {tenant} and kind = 'account' and field = 'status' and who = {account} and account = {account}"
    return (
        f"select from state_history h where {of} and {when} and {statuses} ? h.value and not exists (\n"
        f"  select from state_history n where {of} and n.time_us = h.time_us\n"
        f'    and (n.source collate "C", n.id collate "C") > (h.source, h.id)\n'
        f") limit 1"
    )


def _standing(head: Head, asked: Asked, edge: str, *, tier: bool) -> str:
    """Every known account at one end of the windows; those of one instant share what is looked up."""
    fields = ["status", *(["tier"] if tier else [])]
    columns, joins = (", t.value as tier", f"\ncross join lateral ({_newest('tier')}) t") if tier else ("", "")
    columns += (
        ", null::numeric as amount, null::text as currency" if "currency" not in head.dimensions else ", m.amount, m.currency"
    )
    if "currency" in head.dimensions:
        # Behind `offset 0` the condition comes first: what nobody pays is not looked up.
        money = f"select * from ({newest_money('mrr', **_OF)}) m where i.statuses ? s.value offset 0"
        joins += f"\nleft join lateral ({money}) m on true"
    instants = (
        f"(select w.tenant, {micros(f'w.{edge}')} as at_us, {_STATUSES} as statuses, array_agg(w.win) as wins\n"
        "  from wins w join declared d on d.tenant = w.tenant group by 1, 2, 3)"
    )
    # What all accounts were told to be stays in the inner sub-select: no row of theirs carries it into a sort.
    return (
        "select a.tenant, w.win, a.account, a.at_us, a.status, a.customer, a.amount, a.currency"
        f"{', a.tier' if tier else ''}\nfrom (\n"
        f"select i.tenant, i.wins, k.who as account, i.at_us, s.value as status, i.statuses ? s.value as customer{columns}\n"
        f"from ({_with_told(instants, *fields)}) i\n"
        f"cross join lateral ({_known(asked)}) k\ncross join lateral ({_newest('status')}) s{joins}\n"
        "where s.value is not null offset 0\n) a\ncross join lateral unnest(a.wins) as w(win)"
    )


def _with_told(instants: str, *fields: str) -> str:
    """Rows of instants `(tenant, at_us …)`, each with what all accounts were told to be before: a column a field."""
    told = "".join(f",\n{newest_of_all(name, tenant='i.tenant', before_us='i.at_us')} as {name}_told" for name in fields)
    return f"select i.*{told}\nfrom {instants} i offset 0"


def _newest(field: str) -> str:
    """The select of `value`, of an account `k` at an instant `i` of `_with_told`: one row, null where none was told."""
    alone = newest(field, **_OF)
    return f"select case when i.{field}_told is not null then i.{field}_told ->> k.who else ({alone}) end as value offset 0"


def _tier(*, wanted: bool) -> tuple[str, str]:
    """The column `tier` and what it comes from."""
    return (", t.value as tier", f"\nleft join lateral ({newest('tier', **_OF)}) t on true") if wanted else ("", "")


def _known(asked: Asked) -> str:
    """Accounts of which something was told before an instant; those that are filtered by alone."""
    only = f" and who = any({asked.values('account')})" if "account" in asked.filtered else ""
    return f"select who from milestone where tenant = i.tenant and {KNOWN} and time_us < i.at_us{only} offset 0"


def _reason_of_churn() -> str:
    """The select of `value`, the reason of the churn in which an account `a` of `cohorts` is at `a.then_us`.

    Told with that churn or after it: a churn begins with the first `churned` after whatever else the account was. What was told
    of an earlier one, from which it came back, is none of it.
    """
    of = "kind = 'account' and who = a.account and account = a.account and time_us < a.then_us"
    status, reason = (
        f"from state_history where tenant = a.tenant and field = '{name}' and {of}" for name in ("status", "reason")
    )
    key = 'time_us, source collate "C", id collate "C"'
    newest_first = 'order by time_us desc, source collate "C" desc, id collate "C" desc limit 1'
    return (
        f"select r.value from (\n"
        f"  select min(time_us) as time_us {status} and value = 'churned'\n"
        f"    and ({key}) > all (select {key} {status} and value <> 'churned' {newest_first})\n"
        f") began cross join lateral (select value {reason} and time_us >= began.time_us {newest_first}) r"
    )


def _conditions(asked: Asked, columns: Mapping[str, str], names: tuple[str, ...]) -> list[str]:
    return [f"{columns[name]} = any({asked.values(name)})" for name in names if name in asked.filtered]


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "accounts_at_start": accounts_at_start,
    "accounts_at_end": accounts_at_end,
    "usage_fees_at_end": usage_fees_at_end,
    "first_customers": first_customers,
    "cohorts": cohorts,
    "customers_moved": customers_moved,
    "contracts": contracts,
    "renewals": renewals,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "accounts_at_start": ("wins", "declared"),
    "accounts_at_end": ("wins", "declared"),
    "usage_fees_at_end": ("accounts_at_end",),
    "first_customers": ("wins", "declared"),
    "cohorts": ("wins", "declared"),
    "customers_moved": ("accounts_at_start", "accounts_at_end", "wins", "declared"),
    "contracts": ("accounts_at_end",),
    "renewals": ("accounts_at_end",),
}
