"""Counting users that are kept one by one: those who have left.

A source is a statement that gives each user once in a window, and in an account, or what groups accounts, where
they are split by: `tenant, win[, account][, group_N]` and `who` (the user's id) or `ordinal`.
"""

from service.catalog.accounts import Accounts, plain_name
from service.catalog.asked import Asked
from service.catalog.masks import CHUNK


def counted_people(asked: Asked, source: str, *, key: str, feature: str = "") -> str:
    """`tenant, win, dims, n` of a source whose users are known by `key`, `who` or `ordinal`; `feature` is its column of them."""
    columns = {name: f"coalesce(t{number}.value, '')" for number, name in enumerate(asked.traits)}
    columns |= {name: f"p.{plain_name(asked, name)}" for name in ("account", *asked.groups)}
    columns |= {"feature": f"p.{feature}"} if feature else {}
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


def left(asked: Asked, wins: str) -> str:
    """Users whose newest status up to the window's end, in every account asked for, is `deactivated` (key: who).

    They alone are looked at one by one, found by an index of that value.
    """
    keys, grouped = _keys(asked, "who")
    of = "tenant = w.tenant and kind = 'user' and field = 'status'"
    up_to = f"time_us < (extract(epoch from w.until_at) * 1000000)::bigint{_read(asked)}"
    return (
        f"{_of_windows(asked, wins)} cross join lateral (\n"
        f"  select {keys} from (\n"
        f"    select distinct who from state_history where {of} and value = 'deactivated' offset 0\n"
        f"  ) told cross join lateral (\n"
        f"    select distinct on (account) account, value from state_history\n"
        f"    where {of} and who = told.who and {up_to}\n"
        f'    order by account desc, time_us desc, source collate "C" desc, id collate "C" desc\n'
        f"  ) newest group by {grouped} having bool_and(value = 'deactivated')\n"
        f") p"
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
