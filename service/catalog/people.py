"""Counting users that are kept one by one: known by a status, a milestone or their first day of use.

A source is a statement that gives each user once in a window, and in an account, or what groups accounts, where
they are split by: `tenant, win[, account][, group_N]` and `who` (the user's id) or `ordinal`.
"""

from service.catalog.accounts import Accounts, plain_name
from service.catalog.asked import Asked
from service.catalog.population import CHUNK


def counted_people(asked: Asked, source: str, *, key: str) -> str:
    """`tenant, win, dims, n` of a source whose users are known by `key`, `who` or `ordinal`."""
    columns = {name: f"coalesce(t{number}.value, '')" for number, name in enumerate(asked.traits)}
    columns |= {name: f"p.{plain_name(asked, name)}" for name in ("account", *asked.groups)}
    joins, conditions, ordinal = "", [], "p.ordinal"
    if asked.traits and key == "who":
        joins, ordinal = "\njoin app_user u on u.tenant = p.tenant and u.user_id = p.who", "u.ordinal"
    for number, name in enumerate(asked.traits):
        joins += (
            f"\nleft join segment t{number} on t{number}.tenant = p.tenant and t{number}.dimension = {asked.trait(name)}"
            f" and t{number}.chunk = {ordinal} / {CHUNK} and get_bit(t{number}.bits, {ordinal} % {CHUNK}) = 1"
        )
        if name in asked.filtered:
            conditions.append(f"{columns[name]} = any({asked.values(name)})")
    where = f"\nwhere {' and '.join(conditions)}" if conditions else ""
    return (
        f"select p.tenant, p.win, {asked.dims(columns)} as dims, count(*) as n\n"
        f"from (\n{source}\n) p{joins}{where}\ngroup by 1, 2, 3"
    )


def provisioned(asked: Asked, wins: str) -> str:
    """Users of whom in some account the newest status up to the window's end is not `deactivated` (key: who).

    Whoever was given a status counts, but for those whose every newest one is `deactivated`: these alone are
    looked at one by one, found by an index of that value.
    """
    keys, grouped = _keys(asked, "who")
    of = "tenant = w.tenant and kind = 'user' and field = 'status'"
    up_to = f"time_us < (extract(epoch from w.until_at) * 1000000)::bigint{_read(asked)}"
    return (
        f"{_of_windows(asked, wins)} cross join lateral (\n"
        f"  select {keys} from state_history where {of} and {up_to} group by {grouped}\n"
        f"  except\n"
        f"  select {keys} from (\n"
        f"    select distinct on (who, account) who, account, value from state_history\n"
        f"    where {of} and {up_to} and who in (select who from state_history where {of} and value = 'deactivated')\n"
        f'    order by who desc, account desc, time_us desc, source collate "C" desc, id collate "C" desc\n'
        f"  ) newest group by {grouped} having bool_and(value = 'deactivated')\n"
        f") p"
    )


def reached(asked: Asked, wins: str, milestone: str) -> str:
    """Users who reached a milestone (an expression over `w`) up to the window's end (key: who)."""
    keys, grouped = _keys(asked, "who")
    return (
        f"{_of_windows(asked, wins)} cross join lateral (\n"
        f"  select {keys} from milestone m\n"
        f"  where m.tenant = w.tenant and m.kind = 'user' and m.milestone = {milestone}\n"
        f"    and m.time_us < (extract(epoch from w.until_at) * 1000000)::bigint{_read(asked)}\n"
        f"  group by {grouped}\n"
        f") p"
    )


def first_used(asked: Asked, wins: str, *, within: bool) -> str:
    """Users whose first use, in the accounts asked for, was up to the window's end, or `within` it (key: ordinal)."""
    since = "\n  having min(first_day) >= w.first_day" if within else ""
    if not asked.of_accounts:
        since = " and first_day >= w.first_day" if within else ""
        return (
            f"select w.tenant, w.win, p.* from {wins} w cross join lateral (\n"
            f"  select ordinal from app_user where tenant = w.tenant and first_day <= w.last_day{since} offset 0\n"
            f") p"
        )
    keys, grouped = _keys(asked, "user_ordinal as ordinal")
    return (
        f"{_of_windows(asked, wins)} cross join lateral (\n"
        f"  select {keys} from seat\n"
        f"  where tenant = w.tenant and first_day <= w.last_day{_read(asked)}\n"
        f"  group by {grouped}{since}\n"
        f") p"
    )


def first_ever_used(asked: Asked, wins: str) -> str:
    """Users whose first use was up to the window's end (key: ordinal)."""
    return first_used(asked, wins, within=False)


def activated(asked: Asked, wins: str) -> str:
    """Users who reached the milestone that activates, a column of the windows (key: who)."""
    return reached(asked, wins, "w.milestone")


def used_without(asked: Asked, wins: str, milestone: str) -> str:
    """Users with a first use up to the window's end of whom the milestone was never sent (key: ordinal)."""
    return (
        f"select p.* from (\n{first_ever_used(asked, wins)}\n) p\n"
        f"join app_user f on f.tenant = p.tenant and f.ordinal = p.ordinal\n"
        f"where not exists (\n"
        f"  select from milestone m\n"
        f"  where m.tenant = f.tenant and m.kind = 'user' and m.milestone = {milestone} and m.who = f.user_id\n"
        f")"
    )


def _of_windows(asked: Asked, wins: str) -> str:
    """The windows that a source is made for, with what groups accounts at their ends."""
    return f"select w.tenant, w.win, p.* from {wins} w{Accounts(asked, 'account').join('w')}"


def _keys(asked: Asked, person: str) -> tuple[str, str]:
    """What tells rows apart: as columns that are shown, and by their places for `group by`."""
    shown = [f"{column} as {name}" for name, column in Accounts(asked, "account").shown.items()]
    return ", ".join([person, *shown]), ", ".join(str(place + 1) for place in range(len(shown) + 1))


def _read(asked: Asked) -> str:
    return "".join(f" and {condition}" for condition in Accounts(asked, "account").conditions())
