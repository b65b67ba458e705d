"""Uses and meters added up by plain loops."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from service.catalog import Window
from tests.oracle.counted import value_of
from tests.oracle.stored import Event, nanos
from tests.oracle.wanted import WITHIN, Filters, Ratio, Wanted, days, distribution, elapsed_days
from tests.oracle.world import World, in_days, split, within


def kpi_feature_uses(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    span, first_last = elapsed_days(window), days(window)
    months = span / elapsed_days(window, window.end_us) if window.name == "month" else span / Fraction("30.4375")
    active = [event for event in in_days(world.uses(), *first_last) if world.makes_active(event)]
    wanted: Wanted = {}
    for dims, events in split(within(world.uses(), window), by, filters, value_of).items():
        uses = Fraction(sum(nanos(event.data.get("quantity", 1)) for event in events), 10**9)
        accounts = {dims[by.index("account")]} if "account" in by else filters.get("account")
        users = len({event.subject for event in active if accounts is None or event.account in accounts})
        wanted[dims, ""] = uses
        wanted[dims, "per_day"], wanted[dims, "per_week"] = uses / span, uses * 7 / span
        wanted[dims, "per_user"] = Ratio(uses, users) if events else None
        wanted[dims, "per_user_month"] = uses / users / months if events and users else None
    return wanted


def kpi_meter(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    apart = (*by, "unit", "currency")
    before = split((e for e in world.of("measurement") if e.time_us < window.start_us), apart, filters, value_of)

    def figures(events: Sequence[Event], earlier: Sequence[Event]) -> dict[str, Any]:
        values = [(nanos(event.data["value"]), event.data.get("count", 1)) for event in events]
        found = distribution(values, 10**9, WITHIN)
        newest, former = (
            Fraction(nanos(max(of, key=lambda e: e.rank).data["value"]), 10**9) if of else None for of in (events, earlier)
        )
        change = None if newest is None or former is None else newest - former
        return found | {"sum": Fraction(sum(v * n for v, n in values), 10**9), "newest": newest, "change": change}

    groups = split(within(world.of("measurement"), window), apart, filters, value_of)
    if not groups and not by:
        groups[("", "")] = []
    return {
        (dims, name): wanted for dims, events in groups.items() for name, wanted in figures(events, before.get(dims, ())).items()
    }
