"""How long sessions took and how many were open at each minute, by plain loops over their events."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from service.catalog import Window
from service.clock import DAY, MINUTE, QUARTER
from tests.oracle.counted import value_of
from tests.oracle.stored import Event, nanos
from tests.oracle.wanted import WITHIN, Filters, Ratio, Wanted, distribution
from tests.oracle.world import World, split


@dataclass(frozen=True, slots=True)
class Session:
    """What one event tells of a session: when it began, and when it ended where that is known."""

    event: Event
    began_us: int
    ended_us: int | None
    half: int
    """1: its start alone is told; -1: its end, by which the start is known not to be open; 0: all of it at once."""

    @property
    def length_ns(self) -> int:
        """How long it took."""
        return nanos(self.event.data["duration_ms"], 10**6)


def _sessions(events: Sequence[Event]) -> Iterator[Session]:
    for event in events:
        phase = event.data.get("phase", "")
        if event.data["feature"] != "session" or (not phase and "duration_ms" not in event.data):
            continue
        if phase == "start":
            yield Session(event, event.time_us, None, 1)
            continue
        length_ns = nanos(event.data["duration_ms"], 10**6)
        began_us = event.time_us - -(-length_ns // 1_000) if phase else event.time_us
        ended_us = event.time_us if phase else event.time_us + length_ns // 1_000
        yield Session(event, began_us, min(ended_us, began_us + DAY), -1 if phase else 0)


def kpi_duration(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Of the sessions that began in the window and whose length is told."""
    took = [each for each in _sessions(list(world.of("usage"))) if each.ended_us is not None]
    here = [each for each in took if window.start_us <= each.began_us < window.end_us]
    of_event = {id(each.event): each.length_ns for each in here}
    groups = split([each.event for each in here], by, filters, value_of)
    return {
        (dims, name): figure
        for dims, events in groups.items()
        for name, figure in distribution([(of_event[id(event)], 1) for event in events], 10**9, WITHIN).items()
    }


def kpi_concurrent(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Open at the end of the last minute, the most of any minute, and the mean of all minutes."""
    wanted: Wanted = {} if by else {((), ""): 0, ((), "peak"): 0, ((), "mean"): None}
    events = [event for event in world.of("usage") if event.data["feature"] == "session"]
    ends_us = min(window.end_us, -(-window.until_us // MINUTE) * MINUTE)
    for dims, of in split(events, by, filters, value_of).items():
        told = list(_sessions(of))
        changes = _changes(told)
        if not any(
            window.start_us - DAY - 15 * MINUTE <= at_us // QUARTER * QUARTER and at_us < ends_us for at_us in _told_at(told)
        ):
            continue
        places = sorted({window.start_us, ends_us, *(at for at in changes if window.start_us < at < ends_us)})
        open_now = sum(n for at_us, n in changes.items() if at_us <= window.start_us)
        minutes_open, peak = 0, 0
        for start_us, end_us in pairwise(places):
            open_now += changes.get(start_us, 0) if start_us > window.start_us else 0
            minutes_open += max(0, open_now) * ((end_us - start_us) // MINUTE)
            peak = max(peak, open_now)
        minutes = (ends_us - window.start_us) // MINUTE
        wanted |= {(dims, ""): max(0, open_now), (dims, "peak"): peak, (dims, "mean"): Ratio(minutes_open, minutes)}
    return wanted


def _changes(sessions: Sequence[Session]) -> dict[int, int]:
    """By how many more are open from the beginning of a minute on: a start without an end lasts for a day."""
    changes: defaultdict[int, int] = defaultdict(int)
    for each in sessions:
        began_us = each.began_us // MINUTE * MINUTE
        if each.ended_us is not None:
            changes[began_us] += 1
            changes[each.ended_us // MINUTE * MINUTE] -= 1
        if sign := each.half:
            changes[began_us] += sign
            changes[began_us + DAY] -= sign
    return dict(changes)


def _told_at(sessions: Sequence[Session]) -> list[int]:
    """Minutes at which something is told that does not cancel out: where there is none there is no row.

    A day of UTC begins with what is open at its midnight.
    """
    opened: defaultdict[int, int] = defaultdict(int)
    unended: defaultdict[int, int] = defaultdict(int)
    for each in sessions:
        began_us = each.began_us // MINUTE * MINUTE
        unended[began_us] += each.half
        if each.ended_us is None:
            continue
        ended_us, midnight_us = each.ended_us // MINUTE * MINUTE, each.ended_us // DAY * DAY
        opened[began_us] += 1
        if each.began_us >= midnight_us or ended_us > midnight_us:
            opened[ended_us] -= 1
        if each.began_us < midnight_us < ended_us:
            opened[midnight_us] += 1
    return [at_us for told in (opened, unended) for at_us, n in told.items() if n]
