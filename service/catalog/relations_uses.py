"""The relations of uses by what is asked of their users: uses know none, but for tracked features by whole weeks."""

from collections.abc import Callable, Mapping

from service.catalog.accounts import Accounts, plain_name
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.looked_up import asked_features
from service.catalog.masks import CHUNK
from service.catalog.population import Population, counted

_UNITS = "0.000000001"
# Fenced: what joins it compares its dimensions, and would make them anew for each pair of rows.
_OF_ALL = f"select tenant, win, dims, total * {_UNITS} as quantity, null::text as note from facts_added offset 0"

WHOLE_WEEKS = """
select w.* from wins w
where extract(isodow from w.first_day) = 1 and extract(isodow from w.end_day) = 1
  and not exists (select from quarters p where p.win = w.win) and not exists (select from minutes p where p.win = w.win)
""".strip()
"""The windows that are made of calendar weeks, Monday to Sunday, and of nothing else."""


def uses_asked(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`uses_asked(tenant, win, dims, quantity, note)`: uses, failed ones too; by their users' traits where those are asked for.

    By users they are kept of whole weeks and tracked features alone (`user_feature_week`). What is kept so must add up to what
    was used, feature by feature and account by account as asked: where it does not, there is one row without the traits, of
    no quantity, and its note says why. So neither another window, nor a feature that was tracked late, gives too little.
    """
    asked = Asked.of(by, filtered)
    if not asked.traits:
        return _OF_ALL
    parts = {
        "tracked": _tracked(asked),
        "used_by_users": _by_traits(asked),
    }
    same = "u.tenant = a.tenant and u.win = a.win and u.core = a.dims and u.of_all = a.total"
    conditions = " and ".join(
        f"u.{value} = any({asked.values(name)})" for name, value in _values(asked) if name in asked.filtered
    )
    return (
        "with "
        + ",\n".join(f"{name} as (\n{body}\n)" for name, body in parts.items())
        + f"\nselect u.tenant, u.win, u.dims, sum(u.uses) * {_UNITS} as quantity, null::text as note\n"
        f"from used_by_users u join facts_added a on {same}{f' where {conditions}' if conditions else ''}\n"
        "group by u.tenant, u.win, u.dims\n"
        f"union all\nselect a.tenant, a.win, a.dims, null, {_note(asked)}\n"
        f"from facts_added a where a.total <> 0 and not exists (select from used_by_users u where {same})"
    )


def users_asked(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`users_asked(tenant, win, dims, n)`: as `active`; of users' traits only in windows that uses by users are kept of."""
    asked = Asked.of(by, filtered)
    return counted(Population(asked, wins="whole_weeks")) if asked.traits else "select tenant, win, dims, n from active"


def whole_weeks(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`whole_weeks`: those of `wins` that are made of calendar weeks."""
    return WHOLE_WEEKS


def _tracked(asked: Asked) -> str:
    """Uses by user, and by feature and account as asked: `tenant, win, label, ordinal[, account][, group_N], uses`."""
    accounts = Accounts(asked, "account")
    shown = "".join(f", {column} as {name}" for name, column in accounts.shown.items())
    places = "".join(f", {place + 2}" for place in range(len(accounts.shown)))
    only = "".join(f" and {condition}" for condition in accounts.conditions())
    anything = "select distinct tenant, '' as label, array[0::bigint] as features from wins"
    features = asked_features(asked) if asked.names("feature") else anything
    return (
        f"select w.tenant, w.win, f.label, u.*\nfrom whole_weeks w{accounts.join('w')}\n"
        f"join (\n{features}\n) f on f.tenant = w.tenant\ncross join lateral (\n"
        f"  select user_ordinal as ordinal{shown}, sum(uses) as uses from user_feature_week\n"
        f"  where tenant = w.tenant and feature = any(f.features) and week >= w.first_day and week < w.end_day{only}\n"
        f"  group by 1{places}\n) u"
    )


def _by_traits(asked: Asked) -> str:
    """The same by the values of traits, "" where a user has none: with `core`, its dimensions but for traits, and `of_all`."""
    core = {name: plain_name(asked, name) for name in ("account", *asked.groups)} | {"feature": "label"}
    keys = ["tenant", "win", "label", *Accounts(asked, "account").shown]
    kept, joins, values = ", ".join(f"p.{key}" for key in keys), "", ""
    for number, (name, value) in enumerate(_values(asked)):
        values += f", coalesce(t{number}.value, '') as {value}"
        joins += (
            f"\n  left join segment t{number} on t{number}.tenant = p.tenant and t{number}.dimension = {asked.trait(name)}"
            f" and t{number}.chunk = p.ordinal / {CHUNK} and get_bit(t{number}.bits, p.ordinal % {CHUNK}) = 1"
        )
    places = ", ".join(str(place + 1) for place in range(len(keys) + len(asked.traits)))
    return (
        f"select *, {asked.dims(core)} as core, {asked.dims(core | dict(_values(asked)))} as dims,\n"
        f"  sum(uses) over (partition by {', '.join(keys)}) as of_all\n"
        f"from (\n  select {kept}{values}, sum(p.uses) as uses from tracked p{joins}\n  group by {places}\n) v"
    )


def _values(asked: Asked) -> list[tuple[str, str]]:
    """Each trait with the column of its value."""
    return [(name, f"value_{number}") for number, name in enumerate(asked.traits)]


def _note(asked: Asked) -> str:
    """Why uses are not known by user, and the way out (an expression over `facts_added a`)."""
    if "feature" in asked.by:
        switch = "features.' || coalesce(a.dims ->> 'feature', 'NAME') || '.frequency"
    elif "feature" in asked.filtered:
        switch = "features.NAME.frequency of each feature"
    else:
        switch = 'features."*".frequency (without the features of activity.ignore_features: name some, which are tracked)'
    return (
        "case when not exists (select from whole_weeks w where w.win = a.win)\n"
        "  then 'uses by user are kept of whole calendar weeks: ask for the window week, or start and end on Mondays'\n"
        f"  else 'not all of these uses are kept by user and week: it takes {switch} on since before the window' end"
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "whole_weeks": whole_weeks,
    "uses_asked": uses_asked,
    "users_asked": users_asked,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "whole_weeks": ("wins", "quarters", "minutes"),
    "uses_asked": ("facts_added", "whole_weeks", "labels"),
    "users_asked": ("active", "whole_weeks", "labels"),
}
