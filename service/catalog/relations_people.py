"""The relations of users kept one by one: who is new, whom shares are taken of, who has logged in."""

from collections.abc import Callable, Mapping

from service.catalog import people
from service.catalog.asked import Asked
from service.catalog.kpi import Head

_LOGIN = "first_login"


def newcomers(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`newcomers(tenant, win, dims, n)`: users whose first day of use lies in the window."""
    asked = Asked.of(by, filtered)
    return people.counted_people(asked, people.first_used(asked, "wins", within=True), key="ordinal")


def chosen(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`chosen(tenant, of_whom, milestone)`: whom a share is of, as asked or declared under `NAME_of`, and what activates."""
    return (
        f"select d.tenant, coalesce(nullif(:denominator, ''), d.config #>> '{{activity,{head.id}_of}}') as of_whom,\n"
        "  d.config #>> '{activity,activated_user}' as milestone\nfrom declared d"
    )


def base(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`base(tenant, win, dims, n)`: the users that a share is of; dims without the feature.

    Each branch reads only the windows of tenants who chose it, and once those that have come equally far. Licensed
    users come with the accounts' events.
    """
    asked = Asked.of(by, filtered)
    sources = {
        "c.of_whom = 'provisioned'": (people.provisioned, "who"),
        "c.of_whom = 'activated' and c.milestone = 'first_use'": (people.first_ever_used, "ordinal"),
        "c.of_whom = 'activated' and c.milestone <> 'first_use'": (people.activated, "who"),
    }
    parts, branches = [], []
    for number, (condition, (source, key)) in enumerate(sources.items()):
        parts.append(
            f"of_{number} as (select w.*, c.milestone from wins w join chosen c on c.tenant = w.tenant where {condition}),\n"
            f"ends_{number} as (\n"
            f"  select tenant, until_at, min(win) as win, min(last_day) as last_day, min(milestone) as milestone\n"
            f"  from of_{number} group by tenant, until_at\n),\n"
            f"n_{number} as materialized (\n{people.counted_people(asked, source(asked, f'ends_{number}'), key=key)}\n)"
        )
        branches.append(
            f"select w.tenant, w.win, n.dims, n.n from n_{number} n\n"
            f"join ends_{number} e on e.tenant = n.tenant and e.win = n.win\n"
            f"join of_{number} w on w.tenant = e.tenant and w.until_at = e.until_at"
        )
    return "with " + ",\n".join(parts) + "\n" + "\nunion all\n".join(branches)


def logged_in(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`logged_in(tenant, win, dims, n)`: users with `first_login` up to the window's end; where none is sent, a first use."""
    asked = Asked.of(by, filtered)
    sent = people.counted_people(asked, people.reached(asked, "wins", f"'{_LOGIN}'"), key="who")
    used = people.counted_people(asked, people.used_without(asked, "wins", f"'{_LOGIN}'"), key="ordinal")
    return f"select tenant, win, dims, sum(n) as n from (\n{sent}\nunion all\n{used}\n) l group by tenant, win, dims"


def achieved(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`achieved(tenant, win, dims, n)`: users with `first_value` up to the window's end."""
    asked = Asked.of(by, filtered)
    return people.counted_people(asked, people.reached(asked, "wins", "'first_value'"), key="who")


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "newcomers": newcomers,
    "chosen": chosen,
    "base": base,
    "logged_in": logged_in,
    "achieved": achieved,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "newcomers": ("wins",),
    "chosen": ("declared",),
    "base": ("wins", "chosen"),
    "logged_in": ("wins",),
    "achieved": ("wins",),
}
