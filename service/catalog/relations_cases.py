"""The relations of durations: milestones of users, and incidents derived from their steps."""

from collections.abc import Callable, Mapping

from service.catalog.accounts import Accounts, plain_name
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.population import CHUNK
from service.store.incidents import CASES

_DIMENSIONS = ("severity", "kind", "service", "cause")
_SEVERITIES = "('P0'), ('P1'), ('P2'), ('P3')"
_AT = "timestamptz 'epoch' + c.{}_us * interval '1 microsecond'"

# The first of a milestone that a user reached, in whatever account, and when it began to count from: the user's
# own earliest milestone that is configured, or the one of the account that the reached one names. The lateral
# sub-selects are looked up by key for what lies in the window, however many users there are.
_FIRST_VALUES = """
select w.tenant, w.win, m.who, m.account, (m.time_us - s.time_us) * 1000 as duration
from wins w
join declared d on d.tenant = w.tenant
cross join lateral (
  select who, account, time_us, source, id from milestone
  where tenant = w.tenant and kind = 'user' and milestone = 'first_value'
    and time_us >= (extract(epoch from w.start_at) * 1000000)::bigint
    and time_us < (extract(epoch from w.end_at) * 1000000)::bigint
  offset 0
) m
cross join lateral (
  select d.config #>> '{activity,time_to_first_value_from}' as start
) c
cross join lateral (
  select min(time_us) as time_us from milestone b
  where b.tenant = w.tenant
    and b.kind = case when c.start like 'account:%' then 'account' else 'user' end
    and b.milestone = case when c.start like 'account:%' then substr(c.start, 9) else c.start end
    and b.who = case when c.start like 'account:%' then m.account else m.who end
) s
where m.time_us >= s.time_us and not exists (
  select from milestone e
  where e.tenant = w.tenant and e.kind = 'user' and e.milestone = 'first_value' and e.who = m.who
    and (e.time_us, e.source collate "C", e.id collate "C") < (m.time_us, m.source, m.id)
)""".strip()


def first_values(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`first_values(tenant, win, dims, duration)`: a row a user whose first value lies in the window, in nanoseconds."""
    asked = Asked.of(by, filtered)
    accounts = Accounts(asked, "p.account")
    columns = {name: f"coalesce(t{number}.value, '')" for number, name in enumerate(asked.traits)} | accounts.columns
    joins = accounts.join("p")
    joins += "\njoin app_user u on u.tenant = p.tenant and u.user_id = p.who" if asked.traits else ""
    for number, name in enumerate(asked.traits):
        joins += (
            f"\nleft join segment t{number} on t{number}.tenant = p.tenant and t{number}.dimension = {asked.trait(name)}"
            f" and t{number}.chunk = u.ordinal / {CHUNK} and get_bit(t{number}.bits, u.ordinal % {CHUNK}) = 1"
        )
    conditions = [f"{columns[name]} = any({asked.values(name)})" for name in asked.traits if name in asked.filtered]
    conditions += accounts.conditions()
    where = f"\nwhere {' and '.join(conditions)}" if conditions else ""
    return f"select p.tenant, p.win, {asked.dims(columns)} as dims, p.duration\nfrom (\n{_FIRST_VALUES}\n) p{joins}{where}"


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
    "first_values": first_values,
    "cases": cases,
    "incidents_asked": incidents_asked,
    "severities": severities,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "first_values": ("wins", "declared"),
    "cases": ("wins",),
    "incidents_asked": ("wins", "cases"),
}
