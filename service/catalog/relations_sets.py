"""The relations of sets of users: who came, stayed, came back and left between windows, and how cohorts are retained."""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.sets import FIRST_USES, Sets, Source, active, counted_sets, up_to
from service.store.reached import DAY, MONTH

MAX_AGES: Final[Mapping[str, int]] = {"day": 60, "week": 104, "month": 60}
"""How old cohorts are shown to be at the most, in their own units."""
RESURRECTED: Final = "resurrected_users"
"""The one KPI that asks what was before the window before."""
_EARLIER: Final = "rows between unbounded preceding and 1 preceding"


def newcomers(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`newcomers(tenant, win, dims, n)`: users whose first day of use, in the accounts asked for, lies in the window."""
    of = {"known": up_to(FIRST_USES, "w.last_day"), "before": up_to(FIRST_USES, "(w.first_day - 1)")}
    return counted_sets(Asked.of(by, filtered), of, {"n": "known & ~before"})


def turnover(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`turnover(tenant, win, dims, returned, resurrected, dormant, previous)`: users of a window and of the one before.

    Whoever is active is new, was active in the window before (`returned`) or longer ago (`resurrected`); whoever was
    active in the `previous` window returned or is dormant. Of these columns those are there that the KPI shows.
    """
    of = {
        "here": active("w.first_day", "w.last_day"),
        "earlier": active("w.before_first", "w.before_last"),
    }
    counts = {"returned": "here & earlier", "dormant": "earlier & ~here", "previous": "earlier"}
    if head.id == RESURRECTED:
        of["known"] = up_to(FIRST_USES, "(w.first_day - 1)")
        counts = {"resurrected": "here & known & ~earlier"}
    return counted_sets(Asked.of(by, filtered), of, counts, wins="turns")


def repeat_visits(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`repeat_visits(tenant, win, dims, n, again)`: users of the window, and those of them who were active on two days of it."""
    asked = Asked.of(by, filtered)
    uses = "select chunk, bits, day from activity_day where {read} and feature = 0 and day between w.first_day and w.last_day"
    sets = Sets(asked, of={"active": Source(uses, day="day")})
    whose = ["tenant", "win", "part"] if sets.is_of_seats else sets.whose
    keys, shown = ", ".join(whose), "".join(f", {column}" for column in sets.shown)
    earlier = f"bit_or(bits) over (partition by {keys} order by day {_EARLIER}) as earlier"
    made = (
        f"  select {keys}, bit_or(bits) as n, coalesce(bit_or(bits & earlier), bit_or(bits # bits)) as again from (\n"
        f"    select b.*, {earlier} from {'seen' if sets.is_of_seats else 'bits_of'} b\n"
        f"  ) d group by {keys}"
    )
    dims = asked.dims(sets.columns())
    if sets.is_of_seats:
        counted = sets.in_blocks("made", ("n", "again"))
        return (
            f"with {sets.chunks()}, made as (\n{made}\n)\n"
            f"select tenant, win, {dims} as dims, n, again from (\n{counted}\n) c where n > 0"
        )
    return (
        f"with bits_of as (\n{sets.sql()}\n), made as materialized (\n{made}\n)\n"
        f"select tenant, win, {dims} as dims, n, again from (\n"
        f"  select tenant, win{shown}, sum(bit_count(n)) as n, sum(bit_count(again)) as again from made\n"
        f"  group by tenant, win{shown}\n) c where n > 0"
    )


def cohort_ages(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`cohort_ages(tenant, win, statistic, unit, n, first, last, born, grown)`: which cohorts are looked at in which periods.

    A period of `unit` (from `first` to `last`) belongs to the window that it ends in; its cohort was born `n` units
    before (from `born` to `grown`). Split by `age`, the cohorts are those that begin in the window, at each age.
    """
    plain = "select '' as statistic, :unit as unit, {n} as n"
    if "age" in by or "age" in filtered:
        most = " ".join(f"when '{unit}' then {count}" for unit, count in MAX_AGES.items())
        series = f"generate_series(0, case :unit {most} end) as g(age) where :only_age is null or g.age::text = any(:only_age)"
        wanted, begins = plain.format(n="g.age") + f" from {series}", " and born >= w.first_day"
    else:
        fixed = ", ".join(f"('{name}', '{_UNITS[name[0]]}', {name[1:]})" for name in head.statistics)
        wanted = f"{plain.format(n=':n::int')}\n  union all select * from (values {fixed}) as f(statistic, unit, n)"
        begins = ""
    only = " and (:only_cohort is null or born::text = any(:only_cohort))" if "cohort" in filtered else ""
    return (
        f"with asked as (\n  select * from ({wanted}) a where statistic = any(:statistics) and n >= 0\n), periods as (\n"
        "  select w.tenant, w.win, w.first_day, u.unit, g.at::date as first, (g.at + u.step)::date - 1 as last\n"
        "  from wins w cross join (select distinct unit, ('1 ' || unit)::interval as step from asked) u\n"
        "  cross join lateral generate_series(\n"
        "    date_trunc(u.unit, w.first_day::timestamp), w.last_day::timestamp, u.step\n  ) as g(at)\n"
        "  where (g.at + u.step)::date - 1 between w.first_day and w.end_day - 1\n)\n"
        "select w.tenant, w.win, a.statistic, w.unit, a.n, w.first, w.last, c.born, c.grown\n"
        "from periods w join asked a on a.unit = w.unit\n"
        "cross join lateral (\n"
        "  select (w.first - a.n * ('1 ' || w.unit)::interval)::date as born,\n"
        "         (w.first - (a.n - 1) * ('1 ' || w.unit)::interval)::date - 1 as grown\n"
        f") c where true{begins}{only}"
    )


_UNITS: Final = {"d": "day", "w": "week", "m": "month"}


def user_cohorts(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`user_cohorts(tenant, win, dims, statistic, n, size)`: how large cohorts are, and how many of them are active at their age.

    A cohort are the users whose first use, in the accounts asked for, lies in a period: what was reached on its days, less what
    had been before. Days and weeks are read by the day, months by the month.
    """
    asked = Asked.of(by, filtered)
    span = f"case w.unit when 'month' then '{MONTH}' else '{DAY}' end"
    before = up_to(FIRST_USES, "(w.born - 1)").body.replace("select chunk, bits", "select chunk, bits, w.born - 1 as since")
    births = f"{before}\n  union all\n  select chunk, bits, since from reached\n  where {{read}} and what = {FIRST_USES}"
    births += f" and span = {span} and since between w.born and w.grown"
    # What lies before all cohorts keeps its own day: it only takes away from them.
    day = "case when since < w.born then since else date_trunc(w.unit, since::timestamp)::date end"
    uses = active("w.first", "w.last").body
    of = {
        "born": Source(births, day=day, label="'born:' || w.unit", wins="lanes"),
        "active": Source(uses.replace("chunk, bits", "chunk, bits, w.first as day"), "day", "'active:' || w.unit", "periods"),
    }
    return _retained(asked, Sets(asked, of=of))


def _retained(asked: Asked, sets: Sets) -> str:
    """Cohorts and who of them is there, as bits, then counted; statistics that look at the same ages share them.

    Cohorts are found by one key (`cell`): by several, each would be held against all of its window.
    """
    parts = sets.before_traits()[: 2 if sets.is_of_seats else None]
    named = ",\n".join(f"{name} as (\n{body}\n)" for name, body in parts)
    bits, whose = parts[-1][0], sets.whose_before_traits
    keys = ", ".join(whose)
    cohort = ["born"] if "cohort" in asked.by else []
    cells = ["unit", "age", *cohort]
    born, met = ", ".join(f"b.{column}" for column in whose), [f"b.{column}" for column in (*whose, *cells)]
    same = " and ".join(f"a.{column} = b.{column}" for column in whose)
    kept = [*sets.shown, *({"cohort": "born", "age": "age"}[name] for name in ("cohort", "age") if name in asked.by)]
    split = "".join(f", c.{column}" for column in kept)
    dims = asked.dims(sets.columns() | {"cohort": "born::text", "age": "age::text"})
    return (
        "with lanes as (\n"
        "  select tenant, win, unit, min(born) as born, max(grown) as grown from cohort_ages group by tenant, win, unit\n),\n"
        "periods as (select distinct tenant, win, unit, first, last from cohort_ages),\n"
        "asked as (select distinct tenant, win, statistic, unit, n from cohort_ages),\n"
        f"{named},\nborn_in as materialized (\n"
        f"  select {keys}, win || substr(label, 5) || day as cell, bits & ~coalesce(bit_or(bits) over (\n"
        f"    partition by {keys}, label order by day {_EARLIER}), bits # bits) as bits\n"
        f"  from {bits} where label like 'born:%'\n), met as materialized (\n"
        f"  select {', '.join(met)}, b.size, b.size & a.bits as n from (\n"
        f"    select {born}, g.*, b.bits as size from (\n"
        "      select distinct unit, n as age, born, first, win || ':' || unit || born as cell from cohort_ages\n"
        "    ) g join born_in b on b.cell = g.cell where bit_count(b.bits) > 0\n"
        f"  ) b full join (\n    select {keys}, substr(label, 8) as unit, day, bits from {bits} where label like 'active:%'\n"
        f"  ) a on a.unit = b.unit and a.day = b.first and {same}\n"
        # Not a left join, which may be a loop over loops: and what is asked of a cohort here makes it none.
        "  where coalesce(bit_count(b.size), 0) > 0\n)\n"
        f"select tenant, win, {dims} as dims, statistic, n, size from (\n"
        f"  select c.tenant, c.win, w.statistic{split}, sum(c.n) as n, sum(c.size) as size from (\n{_met(sets, cells)}\n) c\n"
        "  join asked w on w.tenant = c.tenant and w.win = c.win and w.unit = c.unit and w.n = c.age\n"
        f"  group by c.tenant, c.win, w.statistic{split}\n) c where size > 0"
    )


def _met(sets: Sets, cells: Collection[str]) -> str:
    """`tenant, win`, what is split by, the cells, and how many users a cohort has (`size`) and how many are there (`n`)."""
    if sets.is_of_seats:
        keys = ", ".join([*sets.whose_before_traits, *cells])
        united = (
            f"  select {keys}, bit_or(size) as size, coalesce(bit_or(n), bit_or(size # size)) as n from met group by {keys}\n"
        )
        return sets.in_blocks(f"(\n{united})", ("n", "size"), cells)
    # No user is in two cohorts of one age: those of cells add up, and what is sorted are numbers.
    counted = sets.under_traits("met", ("n", "size"), cells)
    keys = ", ".join(["tenant", "win", *cells, *sets.shown])
    return f"select {keys}, coalesce(sum(n), 0) as n, sum(size) as size from (\n{counted}\n) s group by {keys}"


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "newcomers": newcomers,
    "turnover": turnover,
    "repeat_visits": repeat_visits,
    "cohort_ages": cohort_ages,
    "user_cohorts": user_cohorts,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "newcomers": ("wins",),
    "turnover": ("wins", "turns"),
    "repeat_visits": ("wins",),
    "cohort_ages": ("wins",),
    "user_cohorts": ("wins", "cohort_ages"),
}
