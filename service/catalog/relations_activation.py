"""The relations of what is reached one by one: accounts that are known and activated, and how long users take to a milestone."""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.population import CHUNK

_UNTIL: Final = "(extract(epoch from w.until_at) * 1000000)::bigint"
_START: Final = "(extract(epoch from w.start_at) * 1000000)::bigint"
_END: Final = "(extract(epoch from w.end_at) * 1000000)::bigint"
FIRST_VALUE: Final = "time_to_first_value"

# The milestones that users reached first in a window, in whatever account, and since when their clock was running: the user's
# own earliest milestone that is configured, or the one of the account that the reached one names. The lateral sub-selects are
# looked up by key for what lies in the window, however many users there are: without `offset 0` the least could be sought by
# time, through everybody's.
_TIMES = f"""
select w.tenant, w.win, m.who, m.account, m.milestone, (m.time_us - s.time_us) * 1000 as duration
from wins w
join declared d on d.tenant = w.tenant
cross join lateral (select d.config #>> '{{{{activity,time_to_first_value_from}}}}' as start) c
cross join lateral (
  select milestone, who, account, time_us, source, id from milestone
  where tenant = w.tenant and kind = 'user' and milestone {{chosen}} and time_us >= {_START} and time_us < {_END}
  offset 0
) m
cross join lateral (
  select min(time_us) as time_us from (
    select time_us from milestone b
    where b.tenant = w.tenant
      and b.kind = case when c.start like 'account:%' then 'account' else 'user' end
      and b.milestone = case when c.start like 'account:%' then substr(c.start, 9) else c.start end
      and b.who = case when c.start like 'account:%' then m.account else m.who end
    offset 0
  ) b
) s
where m.time_us >= s.time_us and m.milestone <> c.start and not exists (
  select from milestone e
  where e.tenant = w.tenant and e.kind = 'user' and e.milestone = m.milestone and e.who = m.who
    and (e.time_us, e.source collate "C", e.id collate "C") < (m.time_us, m.source, m.id)
  offset 0
)""".strip()


def milestone_times(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`milestone_times(tenant, win, dims, duration)`: a row a milestone that a user reached in the window, in nanoseconds."""
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
    times = _TIMES.format(chosen=_chosen(head, asked))
    dims = asked.dims(columns | {"milestone": "p.milestone"})
    return f"select p.tenant, p.win, {dims} as dims, p.duration\nfrom (\n{times}\n) p{joins}{where}"


def _chosen(head: Head, asked: Asked) -> str:
    """Which milestones are looked at: first value, those that are filtered by, or all that have a name."""
    if head.id == FIRST_VALUE:
        return "= 'first_value'"
    if "milestone" in asked.filtered:
        return f"= any({asked.values('milestone')})"
    return "= any(array(select n.name from name n where n.tenant = w.tenant and n.kind = 'milestone'))"


def known_accounts(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`known_accounts(tenant, win, dims, account, is_activated, took)`: accounts with an event up to the window's end.

    `is_activated`: up to the window's end; `took` from `invited` on, in nanoseconds, where it was activated in the window.
    """
    asked = Asked.of(by, filtered)
    accounts = Accounts(asked, "k.who")
    conditions = accounts.conditions()
    where = f"\nwhere {' and '.join(conditions)}" if conditions else ""
    took = "(a.time_us - i.time_us) * 1000"
    within = f"a.time_us >= greatest(i.time_us, {_START}) and a.time_us < {_END} and i.time_us is not null"
    of_account = "tenant = w.tenant and kind = 'account'"
    return (
        f"select w.tenant, w.win, {asked.dims(accounts.columns)} as dims, k.who as account,\n"
        f"       coalesce(a.time_us < {_UNTIL}, false) as is_activated, case when {within} then {took} end as took\n"
        f"from wins w{accounts.join('w')}\n"
        "cross join lateral (\n"
        f"  select who from milestone where {of_account} and milestone = '~known' and time_us < {_UNTIL} offset 0\n"
        ") k\n"
        "cross join lateral (\n"
        f"  select min(time_us) as time_us from milestone where {of_account} and milestone = 'activated' and who = k.who\n"
        ") a\n"
        "cross join lateral (\n"
        "  select min(time_us) as time_us from state_history\n"
        f"  where {of_account} and field = 'status' and who = k.who and account = k.who and value = 'invited'\n"
        f") i{where}"
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "milestone_times": milestone_times,
    "known_accounts": known_accounts,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "milestone_times": ("wins", "declared"),
    "known_accounts": ("wins",),
}
