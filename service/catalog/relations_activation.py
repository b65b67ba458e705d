"""The relations of what is reached one by one: accounts that are known and activated, and how long users take to a milestone."""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.accounts import Accounts, plain_name
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.masks import CHUNK
from service.catalog.population import trait

_UNTIL: Final = "(extract(epoch from w.until_at) * 1000000)::bigint"
_START: Final = "(extract(epoch from w.start_at) * 1000000)::bigint"
_END: Final = "(extract(epoch from w.end_at) * 1000000)::bigint"
FIRST_VALUE: Final = "time_to_first_value"

# The milestones that users reached first in a window, in whatever account, and since when their clock was running: the user's
# own earliest milestone that is configured, or the one of the account that the reached one names. The lateral sub-selects are
# looked up by key for what lies in the window, however many users there are: without `offset 0` the least could be sought by
# time, through everybody's, and what is configured would be picked out of it anew for every user.
_TIMES = f"""
select w.tenant, w.win, m.who, m.account, m.milestone, (m.time_us - s.time_us) * 1000 as duration
from wins w
join (
  select tenant, start, start like 'account:%' as is_of_account,
         case when start like 'account:%' then 'account' else 'user' end as kind,
         case when start like 'account:%' then substr(start, 9) else start end as milestone
  from (select tenant, config #>> '{{{{activity,time_to_first_value_from}}}}' as start from declared) d
  offset 0
) c on c.tenant = w.tenant
cross join lateral (
  select milestone, who, account, time_us, source, id from milestone
  where tenant = w.tenant and kind = 'user' and milestone {{chosen}} and milestone <> c.start
    and time_us >= {_START} and time_us < {_END}
  offset 0
) m
cross join lateral (
  select min(time_us) as time_us from (
    select time_us from milestone b
    where b.tenant = w.tenant and b.kind = c.kind and b.milestone = c.milestone
      and b.who = case when c.is_of_account then m.account else m.who end
    offset 0
  ) b
) s
where m.time_us >= s.time_us and not exists (
  select from milestone e
  where e.tenant = w.tenant and e.kind = 'user' and e.milestone = m.milestone and e.who = m.who
    and (e.time_us, e.source collate "C", e.id collate "C") < (m.time_us, m.source, m.id)
  offset 0
)""".strip()


def milestone_times(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`milestone_times(tenant, win, dims, durations)`: how long users took to milestones of the window, in nanoseconds.

    They are grouped by what they are split by before dimensions are made of it: made a user, these cost as much as the reading.
    """
    asked = Asked.of(by, filtered)
    accounts = Accounts(asked, "p.account")
    values = {name: f"value_{number}" for number, name in enumerate(asked.traits)}
    shown = dict(accounts.shown) | ({"milestone": "p.milestone"} if "milestone" in by else {})
    conditions = accounts.conditions()
    where = f"\nwhere {' and '.join(conditions)}" if conditions else ""
    times = _TIMES.format(chosen=_chosen(head, asked))
    keys = ", ".join(["tenant", "win", *shown])
    named = "".join(f", {column} as {name}" for name, column in shown.items())
    who = "p.who, " if asked.traits else ""
    rows = f"select p.tenant, p.win{named}, {who}p.duration\nfrom (\n{times}\n) p{accounts.join('p')}{where}"
    rows = _by_traits(asked, keys, rows) if asked.traits else rows
    columns = values | {name: plain_name(asked, name) for name in ("account", *asked.groups)} | {"milestone": "milestone"}
    split = ", ".join([keys, *(values[name] for name in asked.traits if name in by)])
    return (
        f"select tenant, win, {asked.dims(columns)} as dims, durations from (\n"
        f"  select {split}, array_agg(duration) as durations from (\n{rows}\n) r group by {split}\n) a"
    )


def _by_traits(asked: Asked, keys: str, rows: str) -> str:
    """The rows of users with the values of their traits as `value_N`, "" where there is none; looked up by chunks of users."""
    parts = [
        f"rows as (\n{rows}\n)",
        "chunk_0 as (\n"
        f"select {keys}, u.ordinal / {CHUNK} as part, array_agg(u.ordinal % {CHUNK}) as places,\n"
        "  array_agg(duration) as durations\n"
        f"from rows join app_user u using (tenant) where u.user_id = who group by {keys}, part\n)",
    ]
    values = ""
    for number, name in enumerate(asked.traits):
        allowed = f" and coalesce(g.value, '') = any({asked.values(name)})" if name in asked.filtered else ""
        parts += [
            f"trait_{number} as (\n{trait(asked, name)}\n)",
            f"chunk_{number + 1} as (\n"
            f"select {', '.join(f'c.{key}' for key in keys.split(', '))}{values}, c.part,"
            f" coalesce(g.value, '') as value_{number}, h.places, h.durations\n"
            f"from chunk_{number} c left join trait_{number} g on g.tenant = c.tenant and g.part = c.part\n"
            "cross join lateral (\n"
            "  select array_agg(u.place) as places, array_agg(u.duration) as durations\n"
            "  from unnest(c.places, c.durations) as u(place, duration)\n"
            "  where g.bits is null or get_bit(g.bits, u.place) = 1\n"
            f") h where h.places is not null{allowed}\n)",
        ]
        values += f", c.value_{number}"
    return (
        "with " + ",\n".join(parts) + f"\nselect {keys}{values.replace('c.', '')}, duration"
        f" from chunk_{len(asked.traits)} cross join lateral unnest(durations) as d(duration)"
    )


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
