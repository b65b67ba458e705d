"""The relations of incidents, derived from their steps."""

from collections.abc import Callable, Mapping

from service.catalog.accounts import Accounts, plain_name
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.store.incidents import CASES

_DIMENSIONS = ("severity", "kind", "service", "cause")
_SEVERITIES = "('P0'), ('P1'), ('P2'), ('P3')"
_AT = "timestamptz 'epoch' + c.{}_us * interval '1 microsecond'"


def cases(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`cases`: every incident of the tenants, as known now; its columns are those of store/incidents.py."""
    return f"with tenants as (select distinct tenant from wins)\n{CASES.strip()}"


def incidents_asked(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`incidents_asked(tenant, win …)`: a window's cases that pass the filters, with `dims`, `opened_at` …, whenever they were.

    Split by account, or by what groups accounts, a row for each that a case names. For chosen accounts theirs and those
    that name none.
    """
    asked = Asked.of(by, filtered)
    columns = {name: f"coalesce(c.{name}, '')" for name in _DIMENSIONS}
    conditions = [f"{columns[name]} = any({asked.values(name)})" for name in columns if name in asked.filtered]
    accounts = Accounts(asked, "n.name")
    named, of_named = "from unnest(c.accounts) as n(name)", " and ".join(accounts.conditions())
    several = ""
    if asked.by_accounts:
        shown = ", ".join(f"{column} as {name}" for name, column in accounts.shown.items())
        several = f"\ncross join lateral (select distinct {shown} {named} where {of_named}) a"
        columns |= {name: f"a.{plain_name(asked, name)}" for name in accounts.columns}
    elif of_named:
        conditions.append(f"(c.accounts = '{{}}' or exists (select {named} where {of_named}))")
    where = f"\nwhere {' and '.join(conditions)}" if conditions else ""
    moments = "".join(f", {_AT.format(name)} as {name}_at" for name in ("opened", "detected", "acknowledged", "resolved"))
    return (
        f"select w.win, c.*, {asked.dims(columns)} as dims{moments}\n"
        f"from wins w{accounts.join('w')}\njoin cases c on c.tenant = w.tenant{several}{where}"
    )


def severities(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`severities(dims)`: those that show as rows of 0 when severities alone are split by, else none."""
    if by != ("severity",):
        return "select '{}'::jsonb as dims where false"
    asked = Asked.of(by, filtered)
    only = f" where s.name = any({asked.values('severity')})" if "severity" in filtered else ""
    return f"select jsonb_build_object('severity', s.name) as dims from (values {_SEVERITIES}) as s(name){only}"


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "cases": cases,
    "incidents_asked": incidents_asked,
    "severities": severities,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "cases": ("wins",),
    "incidents_asked": ("wins", "cases"),
}
