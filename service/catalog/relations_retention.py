"""The relations of retention: which cohorts are looked at in which periods, and who of them was active there."""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.catalog.lanes import Lanes, number_of, start_of

MAX_AGES: Final[Mapping[str, int]] = {"day": 60, "week": 104, "month": 60}
"""How old cohorts are shown to be at the most, in their own units."""
_UNITS: Final = {"d": "day", "w": "week", "m": "month"}
# Who is in several sets of first uses is in the earliest alone. Hardly anybody is: sets that are apart are left as they are.
_EARLIEST: Final = """
  select array_agg(case when at < 0 then bits else bits & ~coalesce(earlier, bits # bits) end order by place) from (
    select *, bit_or(bits) filter (where at >= 0) over (order by at rows between unbounded preceding and 1 preceding) as earlier
    from unnest(d.at, d.bits) with ordinality u(at, bits, place)
  ) u""".strip("\n")


def cohort_ages(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`cohort_ages(statistic, unit, n)`: how many units after their first use users are looked at, for which statistic."""
    plain = "select '' as statistic, :unit as unit, {n} as n"
    if _is_by_age(by, filtered):
        most = " ".join(f"when '{unit}' then {count}" for unit, count in MAX_AGES.items())
        series = f"generate_series(0, case :unit {most} end) as g(age) where :only_age is null or g.age::text = any(:only_age)"
        wanted = plain.format(n="g.age") + f" from {series}"
    else:
        fixed = ", ".join(f"('{name}', '{_UNITS[name[0]]}', {name[1:]})" for name in head.statistics)
        wanted = f"{plain.format(n=':n::int')}\n  union all select * from (values {fixed}) as f(statistic, unit, n)"
    return f"select * from ({wanted}) a where statistic = any(:statistics) and n >= 0"


def cohort_lanes(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`cohort_lanes(tenant, win, unit, first, last, low, high, ages, months[, chosen])`: which periods and cohorts a window has.

    Periods are numbered, and belong to the window that they end in; cohorts were born (`low` to `high`) as many units before as
    one of the `ages` says. Split by `age`, the cohorts are those that begin in the window, at each age. `months`: the periods
    again, where they are months.
    """
    first, last, end = (number_of(f"w.{day}", "u.unit") for day in ("first_day", "last_day", "end_day"))
    low = f"{number_of('(w.first_day - 1)', 'u.unit')} + 1" if _is_by_age(by, filtered) else "s.first - u.greatest"
    chosen = f"array(select p from generate_series(c.low, c.high) p where ({start_of('p', 'u.unit')})::text = any(:only_cohort))"
    return (
        "select w.tenant, w.win, u.unit, s.first, s.last, c.low, c.high,\n"
        "  array(select distinct n from cohort_ages a where a.unit = u.unit and n <= s.last - c.low) as ages,\n"
        "  array(select p from generate_series(s.first, s.last) p where u.unit = 'month') as months"
        f"{f',{chr(10)}  {chosen} as chosen' if 'cohort' in filtered else ''}\n"
        "from wins w cross join (select unit, min(n) as least, max(n) as greatest from cohort_ages group by unit) u\n"
        f"cross join lateral (select {first} as first, least({last}, {end} - 1) as last) s\n"
        f"cross join lateral (select {low} as low, s.last - u.least as high) c\n"
        # Fenced: what is made here is not made again for every chunk.
        "where s.first <= s.last and c.low <= c.high offset 0"
    )


def _is_by_age(by: tuple[str, ...], filtered: frozenset[str]) -> bool:
    return "age" in by or "age" in filtered


def user_cohorts(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`user_cohorts(tenant, win, dims, statistic, n, size)`: how large cohorts are, and how many of them are active at their age.

    A cohort are the users whose first use, in the accounts asked for, lies in a period: what was reached in it, less what
    had been before.
    """
    asked = Asked.of(by, filtered)
    lanes = Lanes(asked)
    cells = ["unit", "age", *(["born"] if "cohort" in by else [])]
    dims = asked.dims(lanes.columns() | {"cohort": f"({start_of('c.born', 'c.unit')})::text", "age": "c.age::text"})
    named = ",\n".join(f"{name} as (\n{body}\n)" for name, body in [*lanes.laid(), ("met", _met(lanes, cells))])
    if lanes.is_of_seats and "cohort" not in by and not _is_by_age(by, filtered):
        return f"with {named}{_side_by_side(head, lanes, dims)}"
    found = (
        # Made once, however many statistics look at the same age.
        f"with {named}, counted as materialized (\n{_counted(lanes, cells)}\n)\n"
        f"select c.tenant, c.win, {dims} as dims, a.statistic, coalesce(c.n, 0) as n, c.size\n"
        "from counted c join cohort_ages a on a.unit = c.unit and a.n = c.age where c.size > 0"
    )
    if "age" not in filtered or "age" in by:
        return found
    return (
        "select tenant, win, dims, statistic, sum(n) as n, sum(size) as size from (\n"
        f"{found}\n) f group by tenant, win, dims, statistic"
    )


def _met(lanes: Lanes, cells: list[str]) -> str:
    """Cohorts (`size`) and who of them was active (`n`), by age: of some users at a time, whose sets are small and few.

    As bits; or counted, where neither a trait nor an account has to be told apart in them. No user is in two cohorts.
    """
    told = ["g.age", *(["b.at as born"] if "born" in cells else [])]
    chosen = " and b.at = any(d.chosen)" if "cohort" in lanes.asked.filtered else ""
    met = ("b.bits", "b.bits & a.bits")
    size, n = (f"sum(bit_count({bits})::int)::int" if lanes.is_plain else f"bit_or({bits})" for bits in met)
    return (
        f"select {', '.join(f'd.{name}' for name in lanes.lane)}, m.*\n"
        "from laid d\n"
        f"cross join lateral (select case when d.is_apart then d.bits else (\n{_EARLIEST}\n) end as sets offset 0) f\n"
        "cross join lateral (\n"
        f"  select {', '.join(told)}, {size} as size, {n} as n\n"
        "  from unnest(d.at, f.sets) b(at, bits) cross join unnest(d.ages) g(age)\n"
        "  left join unnest(d.at, d.bits) a(at, bits) on a.at = -1 - b.at - g.age and a.at < 0\n"
        f"  where b.at >= d.low and b.at + g.age between d.first and d.last{chosen}\n"
        f"  group by {', '.join(str(place + 1) for place in range(len(told)))} offset 0\n"
        # Fenced, or it would be made for each row that it is joined with.
        ") m offset 0"
    )


def _side_by_side(head: Head, lanes: Lanes, dims: str) -> str:
    """Of seats at some ages, known beforehand: what each statistic counts are columns, so that each block is looked at once."""
    names = list(enumerate(("", *head.statistics)))
    sets = "".join(
        f",\n    bit_or(m.{count}) filter (where a.statistic = '{name}') as {count}_{place}"
        for place, name in names
        for count in ("n", "size")
    )
    counts = [f"{count}_{place}" for place, _ in names for count in ("n", "size")]
    rows = ", ".join(f"('{name}', coalesce(c.n_{place}, 0), c.size_{place})" for place, name in names)
    return (
        f", wide as materialized (\n  select m.tenant, m.win, m.part{sets}\n"
        "  from met m join cohort_ages a on a.unit = m.unit and a.n = m.age group by m.tenant, m.win, m.part\n)\n"
        "select c.tenant, c.win, c.dims, s.* from (\n"
        f"  select *, {dims} as dims from (\n{lanes.in_blocks('wide', counts)}\n  ) c offset 0\n"
        f") c cross join lateral (values {rows}) as s(statistic, n, size) where s.size > 0"
    )


def _counted(lanes: Lanes, cells: list[str]) -> str:
    """`tenant, win`, the cells, what is split by, and how many users a cohort has (`size`) and how many are there (`n`)."""
    counts = ("n", "size")
    if lanes.is_of_seats:
        return lanes.in_blocks("met", counts, cells)
    made = "met" if lanes.is_plain else f"(\n{lanes.told_apart('met', counts, cells)}\n) m"
    keys = ", ".join(["tenant", "win", *cells, *lanes.shown])
    return f"select {keys}, sum(n) as n, sum(size) as size from {made} group by {keys}"


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "cohort_ages": cohort_ages,
    "cohort_lanes": cohort_lanes,
    "user_cohorts": user_cohorts,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "cohort_lanes": ("wins", "cohort_ages"),
    "user_cohorts": ("wins", "cohort_ages", "cohort_lanes"),
}
