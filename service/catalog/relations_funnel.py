"""The relations of funnels: which steps are declared, and how many users or accounts have come as far as each."""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog import people
from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.sets import FIRST_USES, STATUSES, Sets, Source, up_to
from service.catalog.walking import walked

_UNTIL: Final = "(extract(epoch from w.until_at) * 1000000)::bigint"
_STATUSES: Final = "('prospect', 'invited', 'onboarding', 'trial', 'active', 'at_risk', 'churned')"
_ACTIVATING: Final = "d.config #>> '{activity,activated_user}'"


def funnel_steps(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`funnel_steps(tenant, funnel, ordered, within, place, steps, step, of_step, users, accounts, activating)`, as declared."""
    only = " where f.value ->> 'name' = any(:only_funnel)" if "funnel" in filtered else ""
    return (
        "select d.tenant, f.value ->> 'name' as funnel, (f.value ->> 'ordered')::boolean as ordered,\n"
        "  (f.value ->> 'within')::interval as within, s.place, jsonb_array_length(f.value -> 'steps') as steps,\n"
        "  s.value ->> 'name' as step, s.value ->> 'base' as of_step, s.value ->> 'users' as users,\n"
        f"  s.value ->> 'accounts' as accounts, {_ACTIVATING} as activating\n"
        "from declared d cross join lateral jsonb_array_elements(d.config -> 'funnel') f\n"
        f"cross join lateral jsonb_array_elements(f.value -> 'steps') with ordinality as s(value, place){only}"
    )


def funnel_sets(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`funnel_sets(tenant, win, first_day, last_day, label, within, ids)`: the sets of users that steps count by themselves.

    `within` the window, of the features `ids`; or who had come so far by its end, of the milestone `ids`.
    """
    group = "coalesce(d.config -> 'feature_groups' -> substr(s.users, 9), jsonb_build_array(substr(s.users, 9)))"
    milestone = "case s.users when 'activated' then s.activating else substr(s.users, 11) end"
    return (
        "select distinct w.tenant, w.win, w.first_day, w.last_day, s.users as label,\n"
        "  s.users = 'active' or s.users like 'feature:%' as within, case\n"
        "    when s.users = 'active' or s.users = 'activated' and s.activating = 'first_use'\n"
        f"    then array[{FIRST_USES}]::bigint[]\n"
        f"    when s.users = 'provisioned' then array[{STATUSES}]::bigint[]\n"
        "    when s.users like 'feature:%' then array(\n"
        "      select n.id from name n where n.tenant = s.tenant and n.kind = 'feature'\n"
        f"        and n.name in (select jsonb_array_elements_text({group})))\n"
        "    else array(select n.id from name n where n.tenant = s.tenant and n.kind = 'milestone'\n"
        f"      and n.name = {milestone})\n"
        "  end as ids\n"
        "from wins w join funnel_steps s on s.tenant = w.tenant join declared d on d.tenant = s.tenant\n"
        "where s.users is not null and not s.ordered"
    )


def funnel_counts(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`funnel_counts(tenant, win, funnel, place, dims, n)`: how many have come as far as each step; dims without both."""
    asked = Asked.of(by, filtered)
    alone = (
        "select s.tenant, c.win, s.funnel, s.place, c.dims, c.n from funnel_steps s\n"
        "join (\n{counts}\n) c on c.tenant = s.tenant and c.label = s.{kind} where not s.ordered"
    )
    parts = [
        alone.format(counts=_users(asked), kind="users"),
        alone.format(counts=_accounts(asked), kind="accounts"),
        walked(asked),
    ]
    return "\nunion all\n".join(f"select * from (\n{part}\n) p" for part in parts)


def _users(asked: Asked) -> str:
    """`tenant, win, label, dims, n` of the sets of users; those who have left are provisioned no more."""
    uses = "select chunk, bits from activity_day where {read} and feature = any(w.ids) and day between w.first_day and w.last_day"
    of = {
        "within": Source(uses, label="w.label", wins="(select * from funnel_sets where within)"),
        "reached": Source(
            up_to("any(w.ids)", "w.last_day").body, label="w.label", wins="(select * from funnel_sets where not within)"
        ),
    }
    sets = Sets(asked, of=of)
    shown = "".join(f", {column}" for column in sets.shown)
    counted = (
        f"select tenant, win, label{shown}, sum(bit_count(bits)) as n from (\n{sets.sql()}\n) b\n"
        f"group by tenant, win, label{shown}"
    )
    left = people.counted_people(asked, people.left(asked, "leaving"), key="who")
    return (
        "with leaving as (\n"
        "  select * from wins where (tenant, win) in (select tenant, win from funnel_sets where label = 'provisioned')\n"
        f"), counted as (\nselect tenant, win, label, {asked.dims(sets.columns())} as dims, n from (\n{counted}\n) c\n"
        f"), gone as (\n{left}\n)\n"
        "select c.tenant, c.win, c.label, c.dims, c.n - coalesce(g.n, 0) as n from counted c\n"
        "left join gone g on c.label = 'provisioned' and g.tenant = c.tenant and g.win = c.win and g.dims = c.dims"
    )


def _accounts(asked: Asked) -> str:
    """`tenant, win, label, dims, n` of accounts with a status or a milestone, ever up to the window's end."""
    accounts = Accounts(asked, "a.who")
    conditions = accounts.conditions() + (["false"] if asked.traits else [])
    where = f"\nwhere {' and '.join(conditions)}" if conditions else ""
    return (
        f"select w.tenant, w.win, l.label, {asked.dims(accounts.columns)} as dims, count(*) as n\n"
        "from wins w join (select distinct tenant, accounts as label from funnel_steps where accounts is not null) l\n"
        f"  on l.tenant = w.tenant{accounts.join('w')}\n"
        "cross join lateral (\n"
        "  select who from milestone where tenant = w.tenant and kind = 'account' and milestone = any(case l.label\n"
        f"    when 'known' then array['~known', 'activated'] when 'activated' then array[l.label]\n"
        f"    else array[substr(l.label, 11)] end) and time_us < {_UNTIL}\n"
        f"    and l.label not in {_STATUSES}\n"
        "  union\n"
        "  select who from state_history where tenant = w.tenant and kind = 'account' and field = 'status'\n"
        f"    and value = l.label and l.label in {_STATUSES} and time_us < {_UNTIL}\n"
        f") a{where}\ngroup by 1, 2, 3, 4"
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "funnel_steps": funnel_steps,
    "funnel_sets": funnel_sets,
    "funnel_counts": funnel_counts,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "funnel_steps": ("declared",),
    "funnel_sets": ("wins", "funnel_steps", "declared"),
    "funnel_counts": ("wins", "funnel_sets", "funnel_steps"),
}
