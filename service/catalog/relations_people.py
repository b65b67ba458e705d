"""The relations of what users have come to: whom shares are taken of, who has logged in, who is activated."""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog import people
from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.sets import FIRST_USES, STATUSES, counted_sets, ever, milestone, up_to

_LOGIN: Final = milestone("'first_login'")
MILESTONES: Final[Mapping[str, str]] = {
    "first_value_achieved": "first_value",
    "ftue_completion": "ftue_completed",
    "training_completion": "training_completed",
}
"""Which milestone a KPI counts of those who logged in."""


def chosen(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`chosen(tenant, of_whom)`: whom a share is of, as asked or declared under `NAME_of`."""
    declared = f"d.config #>> '{{activity,{head.id}_of}}'"
    return f"select d.tenant, coalesce(nullif(:denominator, ''), {declared}) as of_whom from declared d"


def activating(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`activating(tenant, what)`: what activates a user, a first use or the milestone that is declared to."""
    name = "d.config #>> '{activity,activated_user}'"
    return (
        f"select d.tenant, case when {name} = 'first_use' then {FIRST_USES} else n.id end as what\n"
        f"from declared d left join name n on n.tenant = d.tenant and n.kind = 'milestone' and n.name = {name}"
    )


def provisioned_users(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`provisioned_users(tenant, win, dims, n)`: users with a status up to the window's end that is not `deactivated`."""
    return _provisioned(Asked.of(by, filtered), "wins")


def licensed_users(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`licensed_users(tenant, win, dims, n)`: the newest `licensed_users` of accounts at the window's end, added up.

    Nothing by a user's trait: nobody says whose licences they are.
    """
    return _licensed(Asked.of(by, filtered), "wins")


def activated_users(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`activated_users(tenant, win, dims, n)`: users with a first use up to the window's end, or with the declared milestone."""
    return _activated(Asked.of(by, filtered), "wins")


def base(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`base(tenant, win, dims, n)`: the users that a share is of; dims without the feature.

    Each branch reads only the windows of tenants who chose it, and once those that have come equally far.
    """
    asked = Asked.of(by, filtered)
    parts, branches = [], []
    for whom, source in (("provisioned", _provisioned), ("licensed", _licensed), ("activated", _activated)):
        parts.append(
            f"of_{whom} as (select w.* from wins w join chosen c on c.tenant = w.tenant where c.of_whom = '{whom}'),\n"
            f"{whom}_ends as (\n"
            f"  select tenant, until_at, min(win) as win, min(last_day) as last_day from of_{whom} group by tenant, until_at\n"
            f"),\nn_{whom} as materialized (\n{source(asked, f'{whom}_ends')}\n)"
        )
        branches.append(
            f"select w.tenant, w.win, n.dims, n.n from n_{whom} n\n"
            f"join {whom}_ends e on e.tenant = n.tenant and e.win = n.win\n"
            f"join of_{whom} w on w.tenant = e.tenant and w.until_at = e.until_at"
        )
    return "with " + ",\n".join(parts) + "\n" + "\nunion all\n".join(branches)


def logged_in(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`logged_in(tenant, win, dims, n, reached)`: users with `first_login` up to the window's end, and with the KPI's milestone.

    A user of whom no login is ever sent, in the accounts asked for, logged in with a first use.
    """
    of = {
        "login": up_to(_LOGIN, "w.last_day"),
        "sent": ever(_LOGIN),
        "used": up_to(FIRST_USES, "w.last_day"),
    }
    counts = {"n": "login | (used & ~sent)"}
    if head.id in MILESTONES:
        of["reached"] = up_to(milestone(f"'{MILESTONES[head.id]}'"), "w.last_day")
        counts["reached"] = "reached"
    return counted_sets(Asked.of(by, filtered), of, counts)


def _provisioned(asked: Asked, wins: str) -> str:
    """Everyone who was given a status, less those who have left."""
    given = counted_sets(asked, {"given": up_to(STATUSES, "w.last_day")}, {"n": "given"}, wins=wins)
    left = people.counted_people(asked, people.left(asked, wins), key="who")
    return (
        f"select tenant, win, dims, g.n - coalesce(l.n, 0) as n from (\n{given}\n) g\n"
        f"left join (\n{left}\n) l using (tenant, win, dims) where g.n > coalesce(l.n, 0)"
    )


def _licensed(asked: Asked, wins: str) -> str:
    accounts = Accounts(asked, "k.who")
    conditions = accounts.conditions() + (["false"] if asked.traits else [])
    where = f"\nwhere {' and '.join(conditions)}" if conditions else ""
    return (
        f"select w.tenant, w.win, {asked.dims(accounts.columns)} as dims, sum(k.licensed) as n\n"
        f"from {wins} w{accounts.join('w')}\ncross join lateral (\n"
        "  select distinct on (who) who, value::bigint as licensed from state_history\n"
        "  where tenant = w.tenant and kind = 'account' and field = 'licensed_users'\n"
        "    and time_us < (extract(epoch from w.until_at) * 1000000)::bigint\n"
        '  order by who desc, account desc, time_us desc, source collate "C" desc, id collate "C" desc\n'
        f") k{where}\ngroup by 1, 2, 3"
    )


def _activated(asked: Asked, wins: str) -> str:
    read = f"(select w.*, a.what from {wins} w join activating a on a.tenant = w.tenant)"
    return counted_sets(asked, {"reached": up_to("w.what", "w.last_day")}, {"n": "reached"}, wins=read)


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "chosen": chosen,
    "activating": activating,
    "provisioned_users": provisioned_users,
    "licensed_users": licensed_users,
    "activated_users": activated_users,
    "base": base,
    "logged_in": logged_in,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "chosen": ("declared",),
    "activating": ("declared",),
    "provisioned_users": ("wins",),
    "licensed_users": ("wins",),
    "activated_users": ("wins", "activating"),
    "base": ("wins", "chosen", "activating"),
    "logged_in": ("wins",),
}
