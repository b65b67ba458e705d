"""Limits of random tickets by counting minutes one by one, in plain Python that knows nothing of the product's own rules."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from service.clock import MINUTE, to_us
from service.domain.config import TenantConfig
from service.domain.support.hours import SupportCalendar, hours_over
from service.domain.support.judging import Facts, judge
from service.domain.support.rules import Described, rules_of

TICKETS: Final = 300
DAYS: Final = 80
HOUR_MIN: Final = 60
HOLIDAYS: Final = (date(2025, 11, 11), date(2025, 11, 27), date(2026, 3, 30))

# The table of kpis.md, *Support*, in minutes; True: counted in support hours alone, of which a business day has nine.
H, BH, BD = (HOUR_MIN, False), (HOUR_MIN, True), (9 * HOUR_MIN, True)
Unit = tuple[int, bool]
Cell = tuple[int, Unit]
RESPONSE: Final[Mapping[str, Sequence[tuple[Cell, Cell]]]] = {
    # Opened in support hours, and outside of them.
    "enterprise": [((30, (1, False)),) * 2, ((2, BH), (4, H)), ((4, BH),) * 2, ((8, BH),) * 2],
    "mid_market": [((1, H), (4, H)), ((4, BH),) * 2, ((8, BH),) * 2, ((1, BD),) * 2],
    "starter": [((4, BH),) * 2, ((8, BH),) * 2, ((1, BD),) * 2, ((2, BD),) * 2],
}
MITIGATION: Final[Mapping[str, Cell]] = {"enterprise": (4, H), "mid_market": (8, H)}
"""Of P0 alone."""
RESOLUTION: Final[Mapping[str, Sequence[Cell | None]]] = {
    "enterprise": [(24, H), (24, H), (48, H), (5, BD)],
    "mid_market": [None, (2, BD), (3, BD), (7, BD)],
    "starter": [(2, BD), (3, BD), (5, BD), (10, BD)],
}


@dataclass(frozen=True)
class Support:
    """The minutes of a span, and in which of them support works."""

    zone: str
    start: datetime
    is_open: Sequence[bool]

    @classmethod
    def over(cls, zone: str, first: date) -> "Support":
        """Monday to Friday from 09:00 to 18:00 by the wall clock of the zone, less the holidays."""
        start = datetime(first.year, first.month, first.day, tzinfo=UTC)
        local = [(start + timedelta(minutes=n)).astimezone(ZoneInfo(zone)) for n in range(DAYS * 24 * HOUR_MIN)]
        return cls(zone, start, [t.weekday() < 5 and 9 <= t.hour < 18 and t.date() not in HOLIDAYS for t in local])

    def us(self, minute: int) -> int:
        return to_us(self.start) + minute * MINUTE


@dataclass(frozen=True)
class Life:
    """A ticket, by the minute in which something happened."""

    tier: str
    priority: int
    opened: int
    answered: int | None
    mitigated: int | None
    resolved: int | None
    gaps: Sequence[tuple[int, int]]

    def due(self, limit: Cell, support: Support) -> int:
        """The end of the last minute that the limit has: of those since the opening in which it counts."""
        amount, (unit, business) = limit
        left, minute = amount * unit, self.opened
        idle = {each for begin, end in self.gaps for each in range(begin, end)}
        while left:
            left -= minute not in idle and (support.is_open[minute] or not business)
            minute += 1
        # It stood resolved when the last minute was over: it is late from when it is open again.
        return next((end for begin, end in self.gaps if begin == minute), minute)


def lives(dice: random.Random, support: Support) -> list[Life]:
    """Tickets of the first month, half of them opened in support hours; some answered, mitigated, resolved and reopened."""

    def later(after: int, mean: int) -> int:
        return after + 1 + int(dice.expovariate(1 / mean))

    made = []
    working = [minute for minute in range(30 * 24 * HOUR_MIN) if support.is_open[minute]]
    for number in range(TICKETS):
        opened = dice.choice(working) if number % 2 else dice.randrange(30 * 24 * HOUR_MIN)
        answered, mitigated = (later(opened, mean) if dice.random() < 0.7 else None for mean in (300, 900))
        resolved = later(opened, 3_000) if dice.random() < 0.8 else None
        gaps: list[tuple[int, int]] = []
        while resolved is not None and len(gaps) < 3 and dice.random() < 0.4:
            gaps.append((resolved, later(resolved, 600)))
            resolved = later(gaps[-1][1], 2_000) if dice.random() < 0.8 else None
        made.append(Life(dice.choice(list(RESPONSE)), dice.randrange(4), opened, answered, mitigated, resolved, gaps))
    return made


def wanted(life: Life, support: Support, now: int) -> dict[str, tuple[int, str]]:
    """When each limit ends, and how it stands."""
    inside, outside = RESPONSE[life.tier][life.priority]
    limits: dict[str, Cell | None] = {
        "response": inside if support.is_open[life.opened] else outside,
        "mitigation": MITIGATION.get(life.tier) if life.priority == 0 else None,
        "resolution": RESOLUTION[life.tier][life.priority],
    }
    first_resolved = life.gaps[0][0] if life.gaps else life.resolved
    moments = {
        "response": [life.answered, life.mitigated, first_resolved],
        "mitigation": [life.mitigated, first_resolved],
        "resolution": [life.resolved],
    }
    found = {}
    for measure, limit in limits.items():
        if limit is not None:
            due = life.due(limit, support)
            done = min((at for at in moments[measure] if at is not None), default=None)
            late = due < (now if done is None else done)
            found[measure] = (support.us(due), "missed" if late else "running" if done is None else "met")
    return found


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("America/New_York", date(2025, 10, 20)),
        ("Europe/Berlin", date(2026, 3, 16)),
        ("Asia/Kathmandu", date(2025, 11, 1)),
    ],
)
def test_limits_of_random_tickets_are_those_of_counted_minutes(zone: str, first: date) -> None:
    support = Support.over(zone, first)
    config = TenantConfig.model_validate({"tenant": {"timezone": zone, "holidays": list(HOLIDAYS)}})
    states: set[str] = set()
    for number, life in enumerate(lives(random.Random(7), support)):
        now = life.opened + 20 * 24 * HOUR_MIN if number % 3 else life.opened + 5 * HOUR_MIN
        moments = (life.opened, life.answered, life.mitigated, life.resolved, *(at for gap in life.gaps for at in gap))
        now = max(now, *(at for at in moments if at is not None))
        opened, answered, mitigated, resolved = (None if at is None else support.us(at) for at in moments[:4])
        assert opened is not None
        facts = Facts(
            Described(opened, f"P{life.priority}", tier=life.tier),
            answered,
            mitigated,
            resolved,
            tuple((support.us(begin), support.us(end)) for begin, end in life.gaps),
        )
        hours = hours_over(SupportCalendar.of(config), [opened])
        dues = judge(facts, rules_of(()), hours, support.us(now))
        got = {due.measure: (due.due_us, due.state.value) for due in dues}
        assert got == wanted(life, support, now), life
        states |= {state for _, state in got.values()}
    assert states == {"met", "missed", "running"}
