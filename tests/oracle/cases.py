"""Incidents from their steps, taken in order, one by one."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from service.catalog import Window
from service.domain.families.incident import ACTIONS
from tests.oracle.stored import Event
from tests.oracle.wanted import WITHIN, Dims, Filters, Wanted, durations
from tests.oracle.world import World

DESCRIBING = ("severity", "kind", "service", "cause")


@dataclass(frozen=True, slots=True)
class Case:
    """One incident: its steps in the order in which they happened, those of one time as the actions are listed."""

    steps: Sequence[Event]

    def first(self, action: str) -> int | None:
        """When something was first said of it."""
        return next((step.time_us for step in self.steps if step.data["action"] == action), None)

    @property
    def opened(self) -> int:
        first = self.first("opened")
        return self.steps[0].time_us if first is None else first

    @property
    def is_false(self) -> bool:
        return self.first("false_positive") is not None

    def newest(self, name: str) -> object:
        """What describes it, as known now."""
        told = [step.data[name] for step in self.steps if name in step.data]
        return told[-1] if told else ""

    @property
    def accounts(self) -> set[str]:
        named = {account for step in self.steps for account in step.data.get("accounts", ())}
        return named | {step.account for step in self.steps if step.account}

    def resolved(self, before_us: int) -> tuple[int | None, int]:
        """When it was last resolved, as of an instant (None: it is open), and how long it had been before being reopened."""
        since: int | None = None
        idle = 0
        for step in self.steps:
            if step.time_us < before_us and step.data["action"] == "resolved":
                since = step.time_us
            elif step.time_us < before_us and step.data["action"] == "reopened":
                idle += 0 if since is None else step.time_us - since
                since = None
        return since, idle

    def rows(self, by: Sequence[str], filters: Filters) -> list[Dims]:
        """The rows of a split that it shows in."""
        told = {name: str(self.newest(name)) for name in DESCRIBING}
        if any(told[name] not in allowed for name, allowed in filters.items() if name != "account"):
            return []
        named, allowed = self.accounts, set(filters.get("account", ()))
        if "account" in by:
            return [
                tuple(account if n == "account" else told[n] for n in by) for account in (named & allowed if allowed else named)
            ]
        return [] if allowed and named and not named & allowed else [tuple(told[name] for name in by)]


def cases(world: World) -> list[Case]:
    """All incidents."""
    steps: defaultdict[str, list[Event]] = defaultdict(list)
    for event in world.of("incident"):
        steps[event.subject].append(event)
    order = {action: rank for rank, action in enumerate(ACTIONS)}
    return [Case(sorted(of, key=lambda e: (e.time_us, order[e.data["action"]], e.source, e.id))) for of in steps.values()]


def incidents(kpi: str, world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """How many there were, are, or were none."""
    wanted: Wanted = {} if by else {((), ""): 0}
    if tuple(by) == ("severity",):
        wanted = {((severity,), ""): 0 for severity in filters.get("severity", ("P0", "P1", "P2", "P3"))}
    for case in cases(world):
        opened = window.start_us <= case.opened < window.end_us
        counts = {
            "incidents": opened and not case.is_false,
            "false_positives": opened and case.is_false,
            "open_incidents": case.opened < window.end_us and not case.is_false and case.resolved(window.end_us)[0] is None,
        }
        for dims in case.rows(by, filters) if counts[kpi] else ():
            wanted[dims, ""] = wanted.get((dims, ""), 0) + 1
    return wanted


def times(kpi: str, world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """How long it took to detect, to acknowledge, to resolve; in the window of the later end."""
    took: defaultdict[Dims, list[int]] = defaultdict(list, {} if by else {(): []})
    for case in cases(world):
        detected = case.first("detected")
        start = case.opened if detected is None else detected
        resolved, idle = case.resolved(2**62)
        end, begin = {
            "mttd": (detected, case.opened),
            "mtta": (case.first("acknowledged"), start),
            "mttr": (resolved, idle + (case.opened if world.choices["mttr_from"] == "opened" else start)),
        }[kpi]
        if end is not None and not case.is_false and window.start_us <= end < window.end_us and end >= begin:
            for dims in case.rows(by, filters):
                took[dims].append(end - begin)
    return {(dims, name): wanted for dims, of in took.items() for name, wanted in durations(of, WITHIN).items()}
