"""What adds up, again by plain loops: requests, deliveries, uses and meters."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from service.catalog import Window
from tests.oracle.scene import INTEGRATIONS
from tests.oracle.stored import Event, nanos
from tests.oracle.wanted import (
    WITHIN,
    Dims,
    Filters,
    Ratio,
    Wanted,
    days,
    distribution,
    elapsed_days,
    elapsed_minutes,
)
from tests.oracle.world import World, in_days, split, within

MS = 10**6
FINALS = ("delivered", "failed", "dead_lettered")
Figures = Callable[[Sequence[Event]], dict[str, Any]]


def value_of(event: Event, name: str) -> str:
    """The value of a dimension; "": it has none."""
    if name == "account":
        return event.account
    data = event.data
    if event.family == "request" and name == "status":
        return "timeout" if data.get("timeout") else str(data["status"])
    if event.family == "delivery" and name == "direction":
        return str(data.get("direction", "inbound"))
    if name == "ok":
        return "" if data.get("ok", True) else "false"
    table, _, key = name.partition(".")
    if key:
        kept = data.get({"property": "properties", "attribute": "attributes"}[table], {})
        return "" if key == "undeclared" else str(kept.get(key, ""))
    return str(data.get(name, ""))


def of_groups(groups: dict[Dims, list[Event]], figures: Figures) -> Wanted:
    """The figures of each group."""
    return {(dims, name): wanted for dims, events in groups.items() for name, wanted in figures(events).items()}


def requests(events: Sequence[Event]) -> int:
    return sum(event.data.get("count", 1) for event in events)


def _status(event: Event) -> str:
    status = value_of(event, "status")
    return {"4": "4xx", "5": "5xx", "t": "timeout"}.get(status[0], "")


def kpi_requests(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    groups = split(within(world.of("request"), window), by, filters, value_of, wide=True)
    return of_groups(groups, lambda events: {"": requests(events), "per_minute": requests(events) / elapsed_minutes(window)})


def _judged(world: World, window: Window) -> list[Event]:
    return [event for event in within(world.of("request"), window) if "excluded" not in event.data]


def kpi_api_success(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    def figures(events: Sequence[Event]) -> dict[str, Any]:
        good = [event for event in events if _status(event) not in ("5xx", "timeout")]
        return {"": Ratio(requests(good), requests(events))}

    return of_groups(split(_judged(world, window), by, filters, value_of, wide=True), figures)


def kpi_error_rate(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Split or filtered by what only errors have, errors are still of all requests of the rest of the split."""
    inner = ("status", "error_kind")
    outer = {name: values for name, values in filters.items() if name not in inner}
    rest = tuple(name for name in by if name not in inner)
    below = split(_judged(world, window), rest, outer, value_of, wide=True)
    wanted: Wanted = {}
    for dims, events in split(_judged(world, window), by, outer, value_of, wide=True).items():
        errors = [e for e in events if _status(e) and all(value_of(e, n) in filters[n] for n in inner if n in filters)]
        if not errors and rest != tuple(by):
            continue
        under = requests(below[tuple(value for name, value in zip(by, dims, strict=True) if name not in inner)])
        wanted[dims, ""] = Ratio(requests(errors), under)
        for kind in ("4xx", "5xx", "timeout"):
            wanted[dims, kind] = Ratio(requests([event for event in errors if _status(event) == kind]), under)
    return wanted


def kpi_request_latency(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    def figures(events: Sequence[Event]) -> dict[str, Any]:
        return distribution(((nanos(e.data["latency_ms"], MS), e.data.get("count", 1)) for e in events), MS, WITHIN)

    return of_groups(split(_judged(world, window), by, filters, value_of, wide=True), figures)


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
