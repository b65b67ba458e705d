"""The relations of what is reached one by one: accounts that are known and activated, and how long users take to a milestone."""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.accounts import Accounts, plain_name
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.looked_up import trait
from service.catalog.masks import CHUNK

_UNTIL: Final = "(extract(epoch from w.until_at) * 1000000)::bigint"
_START: Final = "(extract(epoch from w.start_at) * 1000000)::bigint"
_END: Final = "(extract(epoch from w.end_at) * 1000000)::bigint"
FIRST_VALUE: Final = "time_to_first_value"

# Since when clocks run: by a milestone of the user (`start_id`), or by one of the account that the reached one names.
_CLOCKS: Final = """
select d.tenant, d.start, n.id as start_id, case when d.start like 'account:%' then substr(d.start, 9) end as of_account
from (select tenant, config #>> '{activity,time_to_first_value_from}' as start from declared) d
left join name n on n.tenant = d.tenant and n.kind = 'milestone' and n.name = d.start""".strip()

# The milestones that users reached first in a window, in whatever account.
_REACHED: Final = f"""
select w.tenant, w.win, c.start_id, c.of_account, m.what, m.user_ordinal, m.time_us,
       case when c.of_account is not null then m.account end as place{{shown}}
from wins w
join clocks c on c.tenant = w.tenant{{joined}}
cross join lateral (
  select what, user_ordinal, account, time_us from first_reached
  where tenant = w.tenant and time_us >= {_START} and time_us < {_END} and what = any(array(
    select n.id from name n where n.tenant = w.tenant and n.kind = 'milestone' and n.name <> c.start{{chosen}}
  ))
  offset 0
) m{{where}}""".strip()

# When the clocks of these users began: one walk through each tenant's key.
_STARTS: Final = """
select o.tenant, s.user_ordinal, s.time_us
from (
  select tenant, min(start_id) as start_id, array_agg(user_ordinal) as ordinals from reached
  where start_id is not null group by tenant
) o
cross join lateral (
  select user_ordinal, time_us from first_reached
  where tenant = o.tenant and what = o.start_id and user_ordinal = any(o.ordinals)
  offset 0
) s""".strip()

# Those whose clock is an account's; not looked for where no tenant has such a clock.
_OF_ACCOUNTS: Final = "select * from reached where of_account is not null and (select count(of_account) > 0 from clocks)"

# When the clocks of these accounts began.
_STARTS_OF_ACCOUNTS: Final = """
select a.tenant, a.place, s.time_us
from (select distinct tenant, of_account, place from of_accounts) a
cross join lateral (
  select min(time_us) as time_us from milestone
  where tenant = a.tenant and kind = 'account' and milestone = a.of_account and who = a.place
) s""".strip()

# What nobody can guess the size of is joined by full joins, of which nothing is left but what both sides have: no plan makes
# a loop over loops of them.
_TIMES: Final = """
select r.*, (r.time_us - s.time_us) * 1000 as duration
from (select * from reached where start_id is not null offset 0) r full join starts s using (tenant, user_ordinal)
where coalesce(r.time_us >= s.time_us, false)
union all
select r.*, (r.time_us - s.time_us) * 1000
from of_accounts r full join starts_of_accounts s using (tenant, place)
where coalesce(r.time_us >= s.time_us, false)""".strip()

# The milestones of accounts that no user reaches, and when each account's clock began: at the milestone that is configured, or
# where users' clocks begin with one of their own, when it was first invited.
_TIMES_OF_ACCOUNTS: Final = f"""
select r.*, (r.time_us - s.time_us) * 1000 as duration
from (
  select w.tenant, w.win, {_END} as until_us, c.of_account, m.milestone, m.account as place, m.time_us{{shown}}
  from wins w
  join clocks c on c.tenant = w.tenant{{joined}}
  cross join lateral (
    select milestone, who as account, time_us from milestone
    where tenant = w.tenant and kind = 'account' and milestone not like '~%'
      and time_us >= {_START} and time_us < {_END}{{chosen}}
    offset 0
  ) m{{where}}
) r
cross join lateral (
  select min(time_us) as time_us from milestone
  where tenant = r.tenant and kind = 'account' and milestone = r.of_account and who = r.place and r.of_account is not null
  having r.of_account is not null
  union all
  select min(time_us) from state_history
  where tenant = r.tenant and kind = 'account' and field = 'status' and who = r.place and account = r.place
    and value = 'invited' and r.of_account is null
  having r.of_account is null
) s
where s.time_us <= r.time_us and r.milestone is distinct from r.of_account and not exists (
  select from name n join first_reached f on f.tenant = n.tenant and f.what = n.id and f.time_us < r.until_us
  where n.tenant = r.tenant and n.kind = 'milestone' and n.name = r.milestone
)""".strip()

_KEPT: Final = {"clocks": "materialized "}
"""What is configured is picked out once, not anew for every user."""


def milestone_times(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`milestone_times(tenant, win, dims, durations)`: how long users took to milestones of the window, in nanoseconds.

    And how long accounts took to those that no user reaches, but to the first value and under users' traits. Times are
    grouped by what they are split by before dimensions are made of it: made a user, these cost as much as the reading.
    """
    asked = Asked.of(by, filtered)
    accounts = Accounts(asked, "m.account")
    conditions = accounts.conditions()
    shown = accounts.shown | ({"what": "m.what"} if "milestone" in by else {})
    reached = _REACHED.format(
        shown="".join(f", {column} as {name}" for name, column in accounts.shown.items()),
        joined=accounts.join("w"),
        chosen=_chosen(head, asked),
        where=f"\nwhere {' and '.join(conditions)}" if conditions else "",
    )
    parts = {"clocks": _CLOCKS, "reached": reached, "starts": _STARTS, "of_accounts": _OF_ACCOUNTS}
    parts |= {"starts_of_accounts": _STARTS_OF_ACCOUNTS, "times": _TIMES}
    of_accounts = "" if asked.traits or head.id == FIRST_VALUE else "\nunion all\n" + _of_accounts(asked, accounts)
    keys = ["tenant", "win", *shown]
    values = {name: f"value_{number}" for number, name in enumerate(asked.traits)}
    last = "times"
    if asked.traits:
        parts |= _by_traits(asked, ", ".join(keys))
        last = "traits"
    split = ", ".join([*keys, *(values[name] for name in asked.traits if name in by)])
    columns = values | {name: plain_name(asked, name) for name in ("account", *asked.groups)}
    columns["milestone"] = "n.name"
    named = "\njoin name n on n.id = a.what" if "milestone" in by else ""
    made = ",\n".join(f"{name} as {_KEPT.get(name, '')}(\n{body}\n)" for name, body in parts.items())
    return (
        f"with {made}\nselect a.tenant, a.win, {asked.dims(columns)} as dims, a.durations from (\n"
        f"  select {split}, array_agg(duration) as durations from {last} group by {split}\n) a{named}{of_accounts}"
    )


def _of_accounts(asked: Asked, accounts: Accounts) -> str:
    """The same rows of milestones of accounts."""
    conditions = accounts.conditions()
    body = _TIMES_OF_ACCOUNTS.format(
        shown="".join(f", {column} as {name}" for name, column in accounts.shown.items()),
        joined=accounts.join("w"),
        chosen=f" and milestone = any({asked.values('milestone')})" if "milestone" in asked.filtered else "",
        where=f"\n  where {' and '.join(conditions)}" if conditions else "",
    )
    split = ", ".join(["tenant", "win", *accounts.shown, *(["milestone"] if "milestone" in asked.by else [])])
    columns = {name: plain_name(asked, name) for name in ("account", *asked.groups)} | {"milestone": "a.milestone"}
    return (
        f"select a.tenant, a.win, {asked.dims(columns)} as dims, a.durations from (\n"
        f"  select {split}, array_agg(duration) as durations from (\n{body}\n  ) t group by {split}\n) a"
    )


def _by_traits(asked: Asked, keys: str) -> dict[str, str]:
    """Parts, the last of them `traits`: `times` with a user's values of traits as `value_N`, "" for none."""
    parts: dict[str, str] = {}
    before, values = "times", ""
    for number, name in enumerate(asked.traits):
        allowed = f" and coalesce(g.value, '') = any({asked.values(name)})" if name in asked.filtered else ""
        is_last = number == len(asked.traits) - 1
        parts[f"trait_{number}"] = trait(asked, name)
        parts["traits" if is_last else f"having_{number}"] = (
            f"select {', '.join(f'r.{key}' for key in keys.split(', '))}{values}, coalesce(g.value, '') as value_{number},"
            f" r.user_ordinal, r.duration\n"
            f"from (select * from {before} offset 0) r\n"
            f"full join trait_{number} g on g.tenant = r.tenant and g.part = r.user_ordinal / {CHUNK}\n"
            "where coalesce(r.duration is not null"
            f" and (g.bits is null or get_bit(g.bits, r.user_ordinal % {CHUNK}) = 1){allowed}, false)"
        )
        before, values = f"having_{number}", f"{values}, r.value_{number}"
    return parts


def _chosen(head: Head, asked: Asked) -> str:
    """Which milestones are looked at, beside that they have a name: first value, those that are filtered by, or all."""
    if head.id == FIRST_VALUE:
        return " and n.name = 'first_value'"
    return f" and n.name = any({asked.values('milestone')})" if "milestone" in asked.filtered else ""


def known_accounts(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`known_accounts(tenant, win, dims, account, is_activated, took)`: accounts that are known at the window's end.

    An event about it makes an account known, or that it was activated by what its users did, though nobody told of it.
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
        f"  select who from milestone where {of_account} and milestone = '~known' and time_us < {_UNTIL}\n"
        "  union\n"
        f"  select who from milestone where {of_account} and milestone = 'activated' and time_us < {_UNTIL}\n"
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
