"""The relations of sets of users: who came, stayed, came back and left between windows."""

from collections.abc import Callable, Mapping
from typing import Final

from service.catalog.asked import Asked
from service.catalog.cut_last import CutLast
from service.catalog.kpi import Head
from service.catalog.sets import FIRST_USES, Source, active, counted_sets, up_to

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
    sets = CutLast(asked, of={"active": Source(uses, day="day")})
    parts, rows = sets.rows()
    keys = ", ".join(sets.whose_before_traits)
    earlier = f"bit_or(bits) over (partition by {keys} order by day {_EARLIER}) as earlier"
    made = (
        f"  select {keys}, bit_or(bits) as n, coalesce(bit_or(bits & earlier), bit_or(bits # bits)) as again from (\n"
        f"    select b.*, {earlier} from {rows} b\n"
        f"  ) d group by {keys}"
    )
    dims, counts = asked.dims(sets.columns()), ("n", "again")
    if sets.is_of_seats:
        counted = sets.in_blocks("made", counts)
    else:
        kept = ", ".join(["tenant", "win", *sets.shown])
        counted = (
            f"select {kept}, sum(n) as n, sum(again) as again from (\n{sets.told_apart('made', counts)}\n) s group by {kept}"
        )
    named = "".join(f"{name} as (\n{body}\n), " for name, body in parts)
    return (
        # Made by itself: what is joined with it is not made again for each row.
        f"with {named}made as materialized (\n{made}\n)\n"
        f"select tenant, win, {dims} as dims, n, again from (\n{counted}\n) c where n > 0"
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {
    "newcomers": newcomers,
    "turnover": turnover,
    "repeat_visits": repeat_visits,
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "newcomers": ("wins",),
    "turnover": ("wins", "turns"),
    "repeat_visits": ("wins",),
}
