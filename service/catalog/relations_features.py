"""The relations of features taken together: how far the declared ones are adopted, and who uses one often."""

import re
from collections.abc import Callable, Mapping

from service.catalog import relations_users
from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.masks import GROUP_MASKS
from service.catalog.people import counted_people
from service.catalog.population import Population, counted
from service.domain.families.usage import SESSION

_PARTS = ("active", "anyone", "expected", "eligible")
_NANO = 1_000_000_000
_TRACKED = "coalesce((d.config #>> array['features', {}, 'frequency'])::boolean, false)"


def adoption(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`adoption(tenant, win, dims, feature, n, out_of, target)`: of every declared feature, as `feature_adoption` counts it.

    Where `*` is declared alone, every feature that counts and was used in the window, or in the 90 days before its end, is one.

    The relations of users are made once more, as if they were split by feature, too; `dims` are without it.
    """
    split = (*by, "feature")
    own = re.compile(rf":by_name_{len(by)}\b")
    parts = {name: own.sub("'feature'", relations_users.BUILT[name](head, split, filtered)) for name in _PARTS}
    same = "{0}.tenant = o.tenant and {0}.win = o.win and {0}.dims = o.dims || e.dims"
    return (
        "with "
        + ",\n".join(f"{name} as (\n{body}\n)" for name, body in parts.items())
        + ",\nscored as (\nselect w.tenant, w.win, e.dims from wins w join expected e on e.tenant = w.tenant\nunion all\n"
        f"{_WITHOUT_ANY_DECLARED}\n)\n"
        "select o.tenant, o.win, o.dims, e.dims ->> 'feature' as feature,\n"
        "  case when g.dims is null then coalesce(a.n, 0) else g.n end as n,\n"
        "  case when g.dims is null then o.n else g.out_of end as out_of,\n"
        "  (d.config #>> array['features', e.dims ->> 'feature', 'adoption_target'])::numeric as target\n"
        "from anyone o join scored e on e.tenant = o.tenant and e.win = o.win join declared d on d.tenant = o.tenant\n"
        f"left join active a on {same.format('a')}\nleft join eligible g on {same.format('g')}"
    )


_WITHOUT_ANY_DECLARED = f"""
select w.tenant, w.win, jsonb_build_object('feature', n.name)
from wins w join declared d on d.tenant = w.tenant join name n on n.tenant = d.tenant and n.kind = 'feature'
where d.config -> 'features' ? '*' and n.name <> '{SESSION}'
  and (d.config -> 'features') - '*' - array(select jsonb_object_keys(d.config -> 'feature_groups')) = '{{}}'
  and exists (
    select from active_count c where c.tenant = n.tenant and c.feature = n.id
      and c.day >= least(w.first_day, w.last_day - 90) and c.day <= w.last_day
  )
  and not exists (
    select from jsonb_array_elements_text(d.config #> '{{activity,ignore_features}}') as i(name)
    where i.name = n.name or d.config #> array['feature_groups', i.name] ? n.name
  )""".strip()


def used(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`used(tenant, win, dims, label, n)`: users of each feature that parameters name, `label` being its name there."""
    asked = Asked((*by, "feature"), (*sorted(filtered), "feature"))
    text = counted(Population(asked)).replace(f":by_name_{len(by)},", "'feature',")
    return f"select tenant, win, dims - 'feature' as dims, dims ->> 'feature' as label, n from (\n{text}\n) u"


def power(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`power(tenant, win, dims, n, out_of, note)`: users who use a feature, or anything, often, and all who were active.

    Often: more than `activity.power_user_uses` in a week, in at least half of the calendar weeks that end in the window and
    have begun. `n` is null, and the note says why, where the feature is not tracked.
    """
    asked = Asked.of(by, filtered)
    accounts = Accounts(asked, "account")
    groups = "".join(f", {name}" for name in accounts.shown)
    shown = "".join(f", {column} as {name}" for name, column in accounts.shown.items())
    places = "".join(f", {place + 2}" for place in range(len(accounts.shown)))
    only = "".join(f" and {condition}" for condition in accounts.conditions())
    feature = asked.dims({"feature": "f.label"})
    parts = {
        "features": _features(asked),
        "weeks": _WEEKS,
        "often": (
            f"select w.tenant, w.win, f.label, u.*\nfrom weeks w{accounts.join('w')}\n"
            "join features f on f.tenant = w.tenant and f.tracked\ncross join lateral (\n"
            f"  select user_ordinal as ordinal{shown} from user_feature_week\n"
            f"  where tenant = w.tenant and feature = any(f.ids) and week = w.week{only}\n"
            f"  group by 1{places} having sum(uses) > w.uses * {_NANO}\n) u"
        ),
        "persons": (
            f"select o.tenant, o.win, o.label, o.ordinal{groups} from often o\n"
            "join (select tenant, win, count(*) as weeks from weeks group by tenant, win) w using (tenant, win)\n"
            f"group by o.tenant, o.win, o.label, o.ordinal{groups}, w.weeks having count(*) * 2 >= w.weeks"
        ),
        "counted": counted_people(asked, "select * from persons", key="ordinal", feature="label"),
    }
    return (
        "with "
        + ",\n".join(f"{name} as (\n{body}\n)" for name, body in parts.items())
        + f"\nselect o.tenant, o.win, o.dims || {feature} as dims, case when f.tracked then coalesce(c.n, 0) end as n,\n"
        "  o.n as out_of, case when not f.tracked then 'uses are counted by user and week from features.'"
        " || coalesce(nullif(f.label, ''), '\"*\"') || '.frequency on' end as note\n"
        f"from anyone o join features f on f.tenant = o.tenant\n"
        f"left join counted c on c.tenant = o.tenant and c.win = o.win and c.dims = o.dims || {feature}"
    )


# The calendar weeks that end in each window and have begun, and how many uses in one are not yet often.
_WEEKS = """
select w.tenant, w.win, g.week::date as week, coalesce((d.config #>> '{activity,power_user_uses}')::numeric, 5) as uses
from wins w
join declared d on d.tenant = w.tenant
cross join lateral generate_series(
  w.first_day + (7 - extract(isodow from w.first_day)::int) % 7 - 6, least(w.end_day - 7, w.last_day), interval '7 days'
) as g(week)""".strip()


def _features(asked: Asked) -> str:
    """`tenant, label, ids, tracked`: what is counted under which label; 0 is anything, which is written `*`."""
    if not asked.names("feature"):
        anything = _TRACKED.format("'*'")
        return f"select d.tenant, '' as label, array[0::bigint] as ids, {anything} as tracked from declared d"
    name = "left join name n on n.tenant = d.tenant and n.kind = 'feature' and n.name = {}"
    if "feature" not in asked.filtered:
        return (
            "select d.tenant, f.key as label, array[n.id] as ids, true as tracked\n"
            f"from declared d cross join lateral jsonb_each(d.config -> 'features') f {name.format('f.key')}\n"
            f"where f.key <> '*' and {_TRACKED.format('f.key')}"
        )
    label = "l.label" if "feature" in asked.by else "min(l.label)"
    return (
        f"select d.tenant, {label} as label, array_agg(distinct case when l.feature = '*' then 0 else n.id end) as ids,\n"
        f"  bool_and({_TRACKED.format('l.feature')}) as tracked\n"
        f"from declared d join labels l on l.tenant = d.tenant {name.format('l.feature')}\n"
        f"group by d.tenant{', l.label' if 'feature' in asked.by else ''}"
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "adoption": adoption,
    "used": used,
    "power": power,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "adoption": ("wins", "declared", "labels", GROUP_MASKS),
    "used": ("wins", "labels", GROUP_MASKS),
    "power": ("wins", "declared", "labels", "anyone"),
}
