"""What becomes of each event, in plain Python: valid, then no copy, then in time; and what is known of those that count."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from service.clock import DAY
from tests.oracle.scene import LATENESS_US, SKEW_US, local_day
from tests.oracle.streams import Sent


@dataclass(frozen=True, slots=True)
class Event:
    """An event that counts."""

    family: str
    source: str
    id: str
    subject: str
    account: str
    time_us: int
    day: date
    data: dict[str, Any]

    @property
    def rank(self) -> tuple[int, str, str]:
        """What decides which of two is the newer."""
        return self.time_us, self.source, self.id


@dataclass
class Outcome:
    """The ledger, the dead letters, and the events that count, in the order of the log."""

    events: list[Event] = field(default_factory=list)
    ledger: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By source and outcome."""
    reasons: Counter[str] = field(default_factory=Counter)


def outcome(log: Sequence[Sent], zone: str) -> Outcome:
    """Go through the log, event by event."""
    made = Outcome()
    known: defaultdict[tuple[str, str, int | None], list[int]] = defaultdict(list)
    for sent in log:
        source = sent.event["source"]
        reason = sent.refused
        if not reason:
            kept = known[source, sent.event["id"], sent.time_us]
            if any(sent.time_us is not None or abs(sent.received_us - received) <= DAY for received in kept):
                made.ledger[source, "duplicate"] += 1
                continue
            reason = _untimely(sent)
        if reason:
            made.ledger[source, "dead_lettered"] += 1
            made.reasons[reason] += 1
            continue
        kept.append(sent.received_us)
        made.ledger[source, "stored"] += 1
        made.events.append(_event(sent, zone))
    return made


def _untimely(sent: Sent) -> str:
    if sent.time_us is None:
        return ""
    if sent.time_us > sent.received_us + SKEW_US:
        return "in_future"
    if sent.time_us < sent.received_us - LATENESS_US and not sent.backfill:
        return "too_late"
    return ""


def _event(sent: Sent, zone: str) -> Event:
    event = sent.event
    time_us = sent.received_us if sent.time_us is None else sent.time_us
    account, subject = event.get("account", ""), event.get("subject", "")
    return Event(sent.family, event["source"], event["id"], subject, account, time_us, local_day(time_us, zone), event["data"])


def nanos(number: float | None, scale: int = 10**9) -> int:
    """A number in 10⁻⁹, rounded half-even once; milliseconds with a scale of 10⁶."""
    exact = Decimal(repr(number or 0)) * scale
    return int(exact.to_integral_value(ROUND_HALF_EVEN))
