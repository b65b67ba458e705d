"""Uses by traits of their users, by plain loops: of what is tracked, in windows of whole weeks."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from service.catalog import Window
from tests.oracle.people import values
from tests.oracle.stored import Event, nanos
from tests.oracle.wanted import Dims, Filters, Ratio, Wanted, days, elapsed_days, wall
from tests.oracle.world import World, in_days, split, within

TRACKED = "csv_export"
"""Beside `*`: anything that makes active."""
STATISTICS = {
    "feature_uses": ("", "per_day", "per_week", "per_user", "per_user_month"),
    "usage_frequency": ("", "per_user"),
}


def uses_by_user(kpi: str, world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Figures by traits; None without them for what is not known by user as a whole."""
    value, uses = values(world), within(world.uses(), window)
    of_feature = "feature" in by or "feature" in filters
    core = [name for name in by if not name.startswith("user.")]
    chosen = {name: of for name, of in filters.items() if not name.startswith("user.")}
    by_traits = len(core) < len(by) or len(chosen) < len(filters)
    unknown = set()
    for dims, events in split(uses, core, chosen, value).items():
        known = [e for e in events if (e.data["feature"] == TRACKED if of_feature else world.makes_active(e))]
        if by_traits and events and not (_is_of_weeks(window) and _quantity(known) == _quantity(events)):
            unknown.add(dims)
    wanted: Wanted = {}
    for dims in unknown:
        told = dict(zip(core, dims, strict=True))
        wanted |= {(tuple(told.get(name, "") for name in by), name): None for name in STATISTICS[kpi]}
    for dims, events in split(uses, by, filters, value).items():
        if tuple(of for name, of in zip(by, dims, strict=True) if name in core) not in unknown:
            wanted |= {(dims, name): figure for name, figure in _figures(kpi, world, window, by, filters, dims, events).items()}
    return wanted


def _figures(
    kpi: str, world: World, window: Window, by: Sequence[str], filters: Filters, dims: Dims, events: Sequence[Event]
) -> dict[str, Any]:
    span, uses = elapsed_days(window), Fraction(_quantity(events), 10**9)
    if kpi == "usage_frequency":
        users = len({event.subject for event in events})
        return {"": uses * 7 / users / span, "per_user": Ratio(uses, users)} if events else {"": None, "per_user": None}
    apart = [name for name in by if name != "feature"]
    active = [event for event in in_days(world.uses(), *days(window)) if world.makes_active(event)]
    of = split(active, apart, {name: of for name, of in filters.items() if name != "feature"}, values(world))
    users = len({event.subject for event in of.get(tuple(v for n, v in zip(by, dims, strict=True) if n in apart), ())})
    return {
        "": uses,
        "per_day": uses / span,
        "per_week": uses * 7 / span,
        "per_user": Ratio(uses, users) if events else None,
        "per_user_month": uses / users / (span / Fraction("30.4375")) if events and users else None,
    }


def _quantity(events: Sequence[Event]) -> int:
    return sum(nanos(event.data.get("quantity", 1)) for event in events)


def _is_of_weeks(window: Window) -> bool:
    ends = (wall(window.start_us, window.zone), wall(window.end_us, window.zone))
    return all(end.weekday() == end.hour == end.minute == 0 for end in ends)
