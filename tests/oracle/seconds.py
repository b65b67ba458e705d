"""Seconds of components and of the platform: between any two instants at which something changes, all seconds are alike."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from service.catalog import Window
from service.clock import DAY, SECOND, to_us
from tests.oracle.cases import cases
from tests.oracle.stored import Event
from tests.oracle.wanted import Dims, Filters, Ratio, Wanted
from tests.oracle.world import World, split

QUORUM = {"api": 2}
DECLARED = ("web", "api", "mail")
CRITICAL = ("web", "api")


@dataclass(frozen=True, slots=True)
class Probe:
    """What a monitor said of the seconds from `first` up to, not including, `last`."""

    event: Event
    first: int
    last: int

    @property
    def component(self) -> str:
        return str(self.event.data["component"])

    @property
    def monitor(self) -> tuple[str, str]:
        return value_of(self.event, "monitor"), value_of(self.event, "region")

    @property
    def planned(self) -> bool:
        """Whether it was announced early enough."""
        data = self.event.data
        if not data.get("planned") or "announced_at" not in data:
            return False
        return to_us(datetime.fromisoformat(data["announced_at"])) <= self.event.time_us - 7 * DAY


def value_of(event: Event, name: str) -> str:
    """The value of a probe's dimension."""
    if name == "account":
        return event.account
    return str(event.data.get(name, "default" if name == "monitor" else ""))


@dataclass(frozen=True, slots=True)
class Outage:
    """A false positive: seconds that count as up."""

    first: int
    last: float
    service: str


def outages(world: World) -> list[Outage]:
    """Incidents that were said to have taken the service down, and had not."""
    found = []
    for case in cases(world):
        if case.is_false and case.newest("outage") is True:
            resolved = case.resolved(2**62)[0]
            last = float("inf") if resolved is None else resolved // SECOND
            found.append(Outage(case.opened // SECOND, last, str(case.newest("service"))))
    return found


def of_window(world: World, window: Window) -> list[Probe]:
    """Probes that speak for some second of the window."""
    first, last = window.start_us // SECOND, window.until_us // SECOND
    found = [Probe(e, e.time_us // SECOND, e.time_us // SECOND + e.data["interval_s"]) for e in world.of("probe")]
    return [probe for probe in found if probe.first < last and probe.last > first]


def seconds(world: World, window: Window, by: Sequence[str], filters: Filters) -> dict[Dims, Counter[str]]:
    """How many seconds were up, down, planned and degraded, by the split; what nothing is known of is left out."""
    whole = not ({*by, *filters} & {"monitor", "region"})
    probes = {id(probe.event): probe for probe in of_window(world, window)}
    read = split((probe.event for probe in probes.values()), by, filters, value_of, wide=True)
    groups = {dims: [probes[id(event)] for event in events] for dims, events in read.items()}
    declared = [name for name in DECLARED if name in filters.get("component", DECLARED)] if whole and "account" not in by else []
    if "component" in by:
        for name in declared:
            groups.setdefault((name,), [])
    made = {}
    for dims, group in groups.items():
        names = {probe.component for probe in group}
        names |= {name for name in declared if "component" not in by or name in dims}
        if world.choices["critical"] == "true" and "component" not in by and "component" not in filters:
            names &= set(CRITICAL)
        if names:
            made[dims] = _tally(world, window, names, group, whole=whole)
    return made


def _tally(world: World, window: Window, names: Iterable[str], probes: Sequence[Probe], *, whole: bool) -> Counter[str]:
    first, last = window.start_us // SECOND, window.until_us // SECOND
    spans: list[Any] = [*probes, *outages(world)]
    edges = sorted({first, last} | {int(e) for span in spans for e in (span.first, span.last) if first < e < last})
    ever = {event.data["component"] for event in world.of("probe")} | set(DECLARED)
    counted: Counter[str] = Counter()
    for begin, end in pairwise(edges):
        cleared = [outage for outage in outages(world) if outage.first <= begin < outage.last]
        states = []
        for name in names:
            told = [probe for probe in probes if probe.component == name and probe.first <= begin < probe.last]
            clear = any(outage.service == name or outage.service not in ever for outage in cleared)
            states.append(_state(told, QUORUM.get(name, 1) if whole else 1, clear=clear))
        kinds = {state for state, _ in states}
        kind = next((kind for kind in ("down", "planned", "unknown") if kind in kinds), "up")
        counted[kind] += end - begin
        counted["degraded"] += (end - begin) * (kind == "up" and any(degraded for _, degraded in states))
    return counted


def _state(probes: Sequence[Probe], quorum: int, *, clear: bool) -> tuple[str, bool]:
    """What a component is in a second, and whether it is degraded."""
    said: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for probe in probes:
        if "excluded" not in probe.event.data:
            marks = {"down": not probe.event.data["up"], "up": probe.event.data["up"], "planned": probe.planned}
            marks["degraded"] = probe.event.data.get("degraded", False)
            said[probe.monitor] |= {name for name, is_so in marks.items() if is_so}
    down = sum("down" in of for of in said.values())
    degraded = any("degraded" in of and "down" not in of for of in said.values())
    if any("planned" in of for of in said.values()):
        return "planned", degraded
    if clear or (down < quorum and any("up" in of and "down" not in of for of in said.values())):
        return "up", degraded
    return "down" if down >= quorum else "unknown", degraded


def kpi(name: str, world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """The KPIs of seconds."""
    elapsed = (window.until_us - window.start_us) // SECOND
    made = seconds(world, window, by, filters)
    wanted: Wanted = {(dims, ""): _figure(name, counted, elapsed) for dims, counted in made.items()}
    nothing = None if name in ("availability", "probe_coverage") else 0
    return wanted if by or wanted else {((), ""): nothing}


def _figure(name: str, of: Counter[str], elapsed: int) -> Any:
    match name:
        case "availability":
            return Ratio(of["up"], of["up"] + of["down"])
        case "probe_coverage":
            return Ratio(of["up"] + of["down"] + of["planned"], elapsed)
        case "downtime":
            return of["down"]
        case "planned_downtime":
            return of["planned"]
        case _:
            return of["degraded"]


def kpi_probe_success(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Probes by when they began; a monitor that speaks for some second, but began or counts nowhere, has no value."""
    wanted: Wanted = {}
    for dims, events in split((probe.event for probe in of_window(world, window)), by, filters, value_of, wide=True).items():
        begun = [e for e in events if window.start_us <= e.time_us < window.until_us and "excluded" not in e.data]
        wanted[dims, ""] = Ratio(sum(e.data["up"] for e in begun), len(begun))
    return wanted
