"""When a ticket's limits end, whether they were met, and what is left of them.

Clocks run from the opening. The time between `resolved` and `reopened` does not count, neither by the wall clock nor in
support hours; a missed limit belongs to the moment at which it was passed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from service.domain.support.hours import SupportHours
from service.domain.support.limits import Limit
from service.domain.support.rules import Described, Measure, Rule, limits_of

Gap = tuple[int, int]
"""From `resolved` to `reopened`."""


class State(StrEnum):
    """How it stands with a limit."""

    RUNNING = "running"
    MET = "met"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Facts:
    """What happened to a ticket; instants in microseconds since 1970."""

    described: Described
    first_response_us: int | None = None
    mitigated_us: int | None = None
    resolved_us: int | None = None
    """The last one; None while it is open."""
    gaps: tuple[Gap, ...] = ()
    """Stretches behind the opening in which it was resolved, in their order."""
    excluded: bool = False

    @property
    def first_resolved_us(self) -> int | None:
        """When it was resolved for the first time."""
        return self.gaps[0][0] if self.gaps else self.resolved_us

    def done_us(self, measure: Measure) -> int | None:
        """When a limit's clock ended: what is resolved is mitigated, and what is mitigated is answered."""
        match measure:
            case "response":
                return _earliest(self.first_response_us, self.mitigated_us, self.first_resolved_us)
            case "mitigation":
                return _earliest(self.mitigated_us, self.first_resolved_us)
            case "resolution":
                return self.resolved_us


@dataclass(frozen=True, slots=True)
class Due:
    """One limit of a ticket, and how it stands."""

    measure: Measure
    limit: Limit
    due_us: int
    done_us: int | None
    state: State
    used: Fraction
    """The share of the limit that has been used: up to now, or to when it was done."""
    left_us: int
    """By the wall clock; negative: so much too late. 0 when the clock has ended."""
    left_business_us: int
    """In support hours."""


def judge(facts: Facts, rules: Sequence[Rule], hours: SupportHours, now_us: int) -> list[Due]:
    """The strictest limit of each measure that the ticket has, judged; none for an excluded one."""
    if facts.excluded:
        return []
    opened_us = facts.described.opened_us
    limits = limits_of(facts.described, rules, in_hours=hours.is_open(opened_us))
    strictest = {
        measure: min(((due_us(limit, facts, hours), limit) for limit in several), key=lambda pair: pair[0])
        for measure, several in limits.items()
    }
    return [_judged(measure, limit, ends_us, facts, hours, now_us) for measure, (ends_us, limit) in strictest.items()]


def due_us(limit: Limit, facts: Facts, hours: SupportHours) -> int:
    """The instant at which a limit is used up, the gaps left out."""
    left = limit.us(hours.calendar.day_us)
    start = facts.described.opened_us
    for gap_from, gap_to in facts.gaps:
        ends = _after(start, left, limit, hours)
        if ends < gap_from:
            return ends
        left -= _elapsed(start, gap_from, limit, hours)
        start = gap_to
    return _after(start, left, limit, hours)


def settled(dues: Iterable[Due], now_us: int) -> tuple[State, int] | None:
    """How several limits stand together, and since when: missed with the first miss, met with the last that was met.

    None: nothing is limited, or not all of it is decided.
    """
    several = list(dues)
    missed = [due.due_us for due in several if due.state is State.MISSED and due.due_us < now_us]
    if missed:
        return State.MISSED, min(missed)
    met = [due.done_us for due in several if due.state is State.MET and due.done_us is not None]
    return (State.MET, max(met)) if several and len(met) == len(several) else None


def _judged(measure: Measure, limit: Limit, ends_us: int, facts: Facts, hours: SupportHours, now_us: int) -> Due:
    done = facts.done_us(measure)
    until = now_us if done is None else done
    late = ends_us < until
    state = State.MISSED if late else State.RUNNING if done is None else State.MET
    used = Fraction(active_us(limit, facts, hours, until), max(1, limit.us(hours.calendar.day_us)))
    left = ends_us - now_us if done is None else 0
    business = hours.elapsed_us(now_us, ends_us) if done is None else 0
    return Due(measure, limit, ends_us, done, state, used, left, business)


def active_us(limit: Limit, facts: Facts, hours: SupportHours, until_us: int) -> int:
    """How much of a limit's time has passed by an instant: since the opening, less the gaps."""
    passed = _elapsed(facts.described.opened_us, until_us, limit, hours)
    for gap_from, gap_to in facts.gaps:
        passed -= _elapsed(min(gap_from, until_us), min(gap_to, until_us), limit, hours)
    return max(0, passed)


def _elapsed(start_us: int, end_us: int, limit: Limit, hours: SupportHours) -> int:
    return hours.elapsed_us(start_us, end_us) if limit.is_business else end_us - start_us


def _after(start_us: int, left_us: int, limit: Limit, hours: SupportHours) -> int:
    if not limit.is_business:
        return start_us + left_us
    return max(start_us, hours.reached_us(hours.worked_us(start_us) + left_us))


def _earliest(*instants: int | None) -> int | None:
    return min((instant for instant in instants if instant is not None), default=None)
