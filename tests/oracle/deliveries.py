"""Deliveries counted by plain loops, each under the limit of its own time."""

from collections.abc import Callable, Sequence
from typing import Any

from service.catalog import Window
from tests.oracle.counted import MS, Figures, of_groups, value_of
from tests.oracle.scene import INTEGRATIONS
from tests.oracle.stored import Event, nanos
from tests.oracle.wanted import WITHIN, Filters, Ratio, Wanted, distribution, elapsed_minutes
from tests.oracle.world import World, split, within

FINALS = ("delivered", "failed", "dead_lettered")


def limit_ns(world: World, event: Event) -> int | None:
    """The limit that a delivery was under: its own, else what was declared for its time."""
    if "limit_ms" in event.data:
        return nanos(event.data["limit_ms"], MS)
    name = event.data["integration"]
    if name == "sap" and world.is_second(event):
        return 300 * MS
    return INTEGRATIONS[name][1] * MS if name in INTEGRATIONS else None


def _on_time(world: World, event: Event) -> bool:
    limit = limit_ns(world, event)
    return event.data["outcome"] == "delivered" and (limit is None or nanos(event.data["latency_ms"], MS) <= limit)


def _tries(event: Event) -> int:
    return int(event.data.get("attempt", 1))


SHARES: dict[str, Callable[[World, Event], bool]] = {
    "delivery_success": lambda _, e: e.data["outcome"] == "delivered",
    "delivery_failed": lambda _, e: e.data["outcome"] != "delivered",
    "delivery_retried": lambda _, e: _tries(e) > 1,
    "delivery_exhausted": lambda _, e: bool(e.data.get("exhausted")),
    "delivery_dead_lettered": lambda _, e: e.data["outcome"] == "dead_lettered",
    "delivery_on_time": _on_time,
}


def delivery(kpi: str, world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """All KPIs of deliveries."""
    steps = within(world.of("delivery"), window)
    finals = [event for event in steps if event.data["outcome"] in FINALS]
    if kpi == "deliveries":
        made = of_groups(
            split(finals, by, filters, value_of), lambda e: {"": len(e), "per_minute": len(e) / elapsed_minutes(window)}
        )
        return made | declared_rows(made, by, filters, {"": 0, "per_minute": 0})
    judged = [event for event in steps if not event.data.get("excluded")]
    if kpi == "delivery_recovered":
        judged = [
            e
            for e in judged
            if e.data["outcome"] in ("failed", "dead_lettered", "redelivered")
            or (_tries(e) > 1 and e.data["outcome"] == "delivered")
        ]
        figures: Figures = _recovered
    elif kpi == "delivery_latency":
        judged = [event for event in judged if event.data["outcome"] == "delivered"]
        figures = lambda events: distribution(((nanos(e.data["latency_ms"], MS), 1) for e in events), MS, WITHIN)  # noqa: E731
    else:
        judged = [event for event in judged if event.data["outcome"] in FINALS]
        figures = lambda events: {"": Ratio(sum(SHARES[kpi](world, e) for e in events), len(events))}  # noqa: E731
    made = of_groups(split(judged, by, filters, value_of), figures)
    return made | declared_rows(made, by, filters, figures(()))


def _recovered(events: Sequence[Event]) -> dict[str, Any]:
    mended = [
        e
        for e in events
        if e.data["outcome"] == "delivered" or (e.data["outcome"] == "redelivered" and e.data.get("automated", True))
    ]
    return {"": Ratio(len(mended), sum(e.data["outcome"] != "redelivered" for e in events))}


def declared_rows(made: Wanted, by: Sequence[str], filters: Filters, nothing: dict[str, Any]) -> Wanted:
    """Rows of declared integrations that nothing happened in."""
    if "integration" not in by or not {*by, *filters} <= {"integration", "direction"}:
        return {}
    seen = {dims[by.index("integration")] for dims, _ in made}
    rows: Wanted = {}
    for name, (direction, _) in INTEGRATIONS.items():
        own = {"integration": name, "direction": direction}
        if name not in seen and all(own[key] in allowed for key, allowed in filters.items()):
            rows |= {(tuple(own[key] for key in by), statistic): wanted for statistic, wanted in nothing.items()}
    return rows
