"""The relations of sets of users: who came, stayed, came back and left between windows, and how cohorts are retained."""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.sets import FIRST_USES, Sets, Source, active, counted_sets, up_to
from service.store.reached import DAY, MONTH

MAX_AGES: Final[Mapping[str, int]] = {"day": 60, "week": 104, "month": 60}
"""How old cohorts are shown to be at the most, in their own units."""
_EARLIER: Final = "rows between unbounded preceding and 1 preceding"


def newcomers(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`newcomers(tenant, win, dims, n)`: users whose first day of use, in the accounts asked for, lies in the window."""
    of = {"known": up_to(FIRST_USES, "w.last_day"), "before": up_to(FIRST_USES, "(w.first_day - 1)")}
    return counted_sets(Asked.of(by, filtered), of, {"n": "known & ~before"})


def turnover(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`turnover(tenant, win, dims, active, arrived, returned, resurrected, dormant, previous)`: users of a window and the one before.

    Whoever is active is new (`arrived`), was active in the window before (`returned`) or longer ago (`resurrected`);
    whoever was active in the `previous` window returned or is dormant.
    """
    of = {
        "here": active("w.first_day", "w.last_day"),
        "earlier": active("w.before_first", "w.before_last"),
        "known": up_to(FIRST_USES, "(w.first_day - 1)"),
    }
    counts = {
        "active": "here",
        "arrived": "here & ~known",
        "returned": "here & earlier",
        "resurrected": "here & known & ~earlier",
        "dormant": "earlier & ~here",
        "previous": "earlier",
    }
    return counted_sets(Asked.of(by, filtered), of, counts, wins="turns")


def repeat_visits(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001
    """`repeat_visits(tenant, win, dims, n, again)`: users of the window, and those of them who were active on two days of it."""
    asked = Asked.of(by, filtered)
    uses = "select chunk, bits, day from activity_day where {read} and feature = 0 and day between w.first_day and w.last_day"
    sets = Sets(asked, of={"active": Source(uses, day="day")})
    whose, shown = ", ".join(sets.whose), "".join(f", {column}" for column in sets.shown)
    earlier = f"bit_or(bits) over (partition by {whose} order by day {_EARLIER}) as earlier"
    return (
        f"select tenant, win, {asked.dims(sets.columns())} as dims, n, again from (\n"
        f"  select tenant, win{shown}, sum(bit_count(once)) as n, coalesce(sum(bit_count(twice)), 0) as again from (\n"
        f"    select {whose}, bit_or(bits) as once, bit_or(bits & earlier) as twice from (\n"
        f"      select b.*, {earlier} from (\n{sets.sql()}\n) b\n"
        f"    ) d group by {whose}\n"
        f"  ) s group by tenant, win{shown}\n) c where n > 0"
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
    sets = Sets(asked, of=of)
    whose = ", ".join(sets.whose)
    columns = sets.columns() | {"cohort": "born::text", "age": "age::text"}
    kept = [*sets.shown, *({"cohort": "born", "age": "age"}[name] for name in ("cohort", "age") if name in by)]
    shown = "".join(f", {column}" for column in kept)
    same = " and ".join(f"a.{column} = b.{column}" for column in sets.whose)
    split = "".join(f", b.{column}" for column in sets.shown)
    return (
        "with lanes as (select tenant, win, unit, min(born) as born, max(grown) as grown from cohort_ages group by tenant, win, unit),\n"
        "periods as (select distinct tenant, win, unit, first, last from cohort_ages),\n"
        f"bits_of as materialized (\n{sets.sql()}\n),\n"
        "born_in as (\n"
        f"  select {whose}, label, day, bits & ~coalesce(bit_or(bits) over (\n"
        f"    partition by {whose}, label order by day {_EARLIER}), bits # bits) as bits\n"
        "  from bits_of where label like 'born:%'\n)\n"
        f"select tenant, win, {asked.dims(columns)} as dims, statistic, n, size from (\n"
        f"  select tenant, win, statistic{shown}, sum(here) as n, sum(size) as size from (\n"
        f"    select b.tenant, b.win, g.statistic, g.born, g.n as age{split},\n"
        "      bit_count(b.bits) as size, coalesce(bit_count(b.bits & a.bits), 0) as here\n"
        "    from cohort_ages g\n"
        "    join born_in b on b.tenant = g.tenant and b.win = g.win and b.label = 'born:' || g.unit and b.day = g.born\n"
        f"    left join bits_of a on a.label = 'active:' || g.unit and a.day = g.first and {same}\n"
        f"  ) p group by tenant, win, statistic{shown}\n) c where size > 0"
    )


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
