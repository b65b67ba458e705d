"""Requests counted by plain loops; and how the dimensions of all that adds up are read."""

from collections.abc import Callable, Sequence
from typing import Any

from service.catalog import Window
from tests.oracle.stored import Event, nanos
from tests.oracle.wanted import (
    WITHIN,
    Dims,
    Filters,
    Ratio,
    Wanted,
    distribution,
    elapsed_minutes,
)
from tests.oracle.world import World, split, within

MS = 10**6
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
