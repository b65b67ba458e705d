"""All that is known of a tenant, as a plain list of events, and how it is split and filtered."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from service.catalog import Window
from tests.oracle.scene import Scene
from tests.oracle.stored import Event
from tests.oracle.wanted import Dims, Filters

GROUPS = {"export": ("csv_export", "pdf_export")}


@dataclass(frozen=True, slots=True)
class World:
    """The events of a tenant that count, and what it declared."""

    scene: Scene
    events: Sequence[Event]
    choices: dict[str, Any]

    def of(self, family: str) -> Iterator[Event]:
        """Events of one family."""
        return (event for event in self.events if event.family == family)

    def is_second(self, event: Event) -> bool:
        """Whether the second version of what is declared is valid at the event's time."""
        return event.time_us >= self.scene.midnight()

    def uses(self) -> Iterator[Event]:
        """What users did: the end of a session is nothing that they did."""
        return (event for event in self.of("usage") if event.data.get("phase") != "end")

    def makes_active(self, event: Event) -> bool:
        """Whether a use makes its user active."""
        return event.data["feature"] not in (("heartbeat", "search") if self.is_second(event) else ("heartbeat",))

    def trait(self, user: str, name: str) -> str:
        """The newest value of a user's trait, whatever account it came with."""
        told = [
            (e.rank, e.data["traits"][name]) for e in self.of("user") if e.subject == user and name in e.data.get("traits", {})
        ]
        return max(told)[1] if told else ""


def within(events: Iterable[Event], window: Window) -> list[Event]:
    """Events of the window, whatever the time it is."""
    return [event for event in events if window.start_us <= event.time_us < window.end_us]


def members(names: Sequence[str]) -> set[str]:
    """The features that names stand for."""
    return {feature for name in names for feature in GROUPS.get(name, (name,))}


def split(
    events: Iterable[Event],
    by: Sequence[str],
    filters: Filters,
    value: Callable[[Event, str], str],
    *,
    wide: bool = False,
) -> dict[Dims, list[Event]]:
    """Events by the values of dimensions; with `wide`, what names no account counts for each one that is filtered by."""
    groups: defaultdict[Dims, list[Event]] = defaultdict(list)
    if not by:
        groups[()] = []
    for event in events:
        if passes(event, by, filters, value, wide=wide):
            labels = [event.data.get("feature", "")]
            if "feature" in by and "feature" in filters:
                labels = [label for label in filters["feature"] if labels[0] in members((label,))]
            for label in labels:
                groups[tuple(label if name == "feature" else value(event, name) for name in by)].append(event)
    return dict(groups)


def passes(event: Event, by: Sequence[str], filters: Filters, value: Callable[[Event, str], str], *, wide: bool) -> bool:
    """Whether an event is among what is asked for."""
    if "account" in by and not event.account:
        return False
    for name, allowed in filters.items():
        among = members(allowed) if name == "feature" else set(allowed)
        if name == "account" and wide and "account" not in by:
            among.add("")
        if value(event, name) not in among:
            return False
    return True


def in_days(events: Iterable[Event], first: date, last: date) -> list[Event]:
    """Events of these local days."""
    return [event for event in events if first <= event.day <= last]
