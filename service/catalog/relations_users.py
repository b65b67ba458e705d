"""The relations of users: who was active, who is new, and whom shares are taken of."""

from collections.abc import Callable, Mapping

from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.masks import GROUP_MASKS, GROUP_SHARING, NOBODY
from service.catalog.population import Population, added_up, added_up_by_weekday, counted


def group_masks(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`group_masks(tenant, win, part[, group_N], bits)`: seats of each group of accounts; "" where nothing is counted so."""
    return Population(Asked.of(by, filtered)).standing_masks()[0]


def group_sharing(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`group_sharing(tenant, account, part, ordinal, user_ordinal)`: seats of users who have several; "" as `group_masks`."""
    return Population(Asked.of(by, filtered)).standing_masks()[1]


def active(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`active(tenant, win, dims, n)`: distinct users of the window."""
    return counted(Population(Asked.of(by, filtered)))


def active_daily(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`active_daily(tenant, win, day, dims, n)`: distinct users of each day of the window."""
    return counted(Population(Asked.of(by, filtered), daily=True))


def user_days(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`user_days(tenant, win, dims, n)`: distinct users of each day that counts, added up; a day's own number is never made."""
    return added_up(Population(Asked.of(by, filtered), daily=True))


def user_weekdays(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`user_weekdays(tenant, win, weekday, dims, n)`: distinct users of each day, added up by weekday where it is asked for."""
    return added_up_by_weekday(Population(Asked.of(by, filtered), daily=True))


def anyone(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`anyone(tenant, win, dims, n)`: distinct users of the window, whatever the feature (which is not in dims)."""
    return counted(Population(Asked.of(by, filtered), any_feature=True))


def counted_days(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`counted_days(tenant, win, day)`: the days that a mean is made of, all or business days, as asked or declared."""
    declared = f"case when c.config #> '{{activity,business_days_only}}' ? '{head.id}' then 'business' else 'all' end"
    return (
        "select d.tenant, d.win, d.day from days d join declared c on c.tenant = d.tenant\n"
        f"where d.business or coalesce(nullif(:days, ''), {declared}) = 'all'"
    )


def expected(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`expected(tenant, dims)`: features that are shown though nobody used them, those asked for or else declared."""
    if "feature" not in by:
        return "select d.tenant, '{}'::jsonb as dims from declared d"
    label = "jsonb_build_object('feature', {})"
    if "feature" in filtered:
        return f"select distinct l.tenant, {label.format('l.label')} as dims from labels l"
    features = "jsonb_object_keys(d.config -> 'features')"
    # `*` stands for anything, and is no feature to be adopted; whoever uses a group uses one of its features.
    return (
        f"select d.tenant, {label.format('f.name')} as dims from declared d cross join lateral {features} as f(name)\n"
        "where f.name <> '*' and not d.config -> 'feature_groups' ? f.name"
    )


def feature_rows(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`feature_rows(tenant, win, dims, n)`: every row that shows a feature, and how many were active there at all."""
    return (
        "select o.tenant, o.win, o.dims || e.dims as dims, o.n from anyone o join expected e on e.tenant = o.tenant\n"
        "union\n"
        "select o.tenant, o.win, a.dims, o.n from anyone o\n"
        "join active a on a.tenant = o.tenant and a.win = o.win and a.dims - 'feature' = o.dims"
    )


def eligible(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`eligible(tenant, win, dims, n, out_of)`: of features for some users only, its users and the active ones among them.

    `features.NAME.eligible` names traits; a user needs one of the values of each.
    """
    asked = Asked.of(by, filtered)
    using = Population(asked, as_users=True, wins="concerned")
    everyone = Population(asked, as_users=True, any_feature=True, wins="concerned")
    columns = everyone.columns() | {"feature": "label"}
    keys = ", ".join(["tenant", "win", "label", *(columns[name] for name in by if name != "feature")])
    only = "\nwhere (tenant, label) in (select tenant, label from labels)" if "feature" in filtered else ""
    counted_bits = (
        "select {keys}, sum(bit_count(p.bits & coalesce(m.bits, {nobody}))) as n from {people} p{features}\n"
        "left join masks m using (tenant, label, part)\ngroup by {keys}"
    )
    users = counted_bits.format(keys=keys, nobody=NOBODY, people="used", features="")
    active_ones = counted_bits.format(
        keys=keys,
        nobody=NOBODY,
        people="everyone",
        features=" join (select distinct tenant, label from conditions) f using (tenant)",
    )
    return (
        f"with conditions as (\n{_CONDITIONS}{only}\n), masks as (\n{_MASKS}\n),\n"
        "concerned as (\nselect * from wins where tenant in (select tenant from conditions)\n),\n"
        f"used as (\n{using.sql()}\n),\neveryone as (\n{everyone.sql()}\n)\n"
        f"select tenant, win, {asked.dims(columns)} as dims, coalesce(u.n, 0) as n, e.n as out_of\n"
        f"from (\n{active_ones}\n) e left join (\n{users}\n) u using ({keys})"
    )


_CONDITIONS = """
select * from (
  select d.tenant, f.key as label, e.key as trait, array(select jsonb_array_elements_text(e.value)) as allowed
  from declared d
  cross join lateral jsonb_each(d.config -> 'features') f
  cross join lateral jsonb_each(f.value -> 'eligible') e
) c""".strip()

_MASKS = """
select t.tenant, t.label, t.part, bit_and(t.bits) as bits
from (
  select c.tenant, c.label, c.trait, s.chunk as part, bit_or(s.bits) as bits
  from conditions c
  join segment s on s.tenant = c.tenant and s.dimension = c.trait and s.value = any(c.allowed)
  group by c.tenant, c.label, c.trait, s.chunk
) t
join (select tenant, label, count(*) as traits from conditions group by tenant, label) n using (tenant, label)
group by t.tenant, t.label, t.part, n.traits
having count(*) = n.traits""".strip()

BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    GROUP_SHARING: group_sharing,
    GROUP_MASKS: group_masks,
    "active": active,
    "active_daily": active_daily,
    "anyone": anyone,
    "counted_days": counted_days,
    "user_days": user_days,
    "user_weekdays": user_weekdays,
    "expected": expected,
    "feature_rows": feature_rows,
    "eligible": eligible,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    GROUP_SHARING: ("wins",),
    GROUP_MASKS: ("wins", GROUP_SHARING),
    "active": ("wins", "labels", GROUP_MASKS),
    "active_daily": ("wins", "labels", GROUP_MASKS),
    "anyone": ("wins", GROUP_MASKS),
    "counted_days": ("days", "declared"),
    "user_days": ("wins", "labels", "counted_days", GROUP_MASKS),
    "user_weekdays": ("wins", "labels", GROUP_MASKS),
    "expected": ("declared", "labels"),
    "feature_rows": ("active", "anyone", "expected"),
    "eligible": ("wins", "declared", "labels"),
}
