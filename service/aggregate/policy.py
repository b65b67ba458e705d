"""The time policy: an event's time against its receipt, never against now (an outage or a replay changes nothing)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import assert_never

import numpy as np
import numpy.typing as npt

from service.clock import SECOND, to_datetime
from service.domain.reasons import Reason

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Outcomes = npt.NDArray[np.int8]


class Outcome(IntEnum):
    """What becomes of an event that ingest took."""

    STORED = 0
    DUPLICATE = 1
    TOO_LATE = 2
    IN_FUTURE = 3
    HOUR_CLOSED = 4


REFUSED = (Outcome.TOO_LATE, Outcome.IN_FUTURE, Outcome.HOUR_CLOSED)


@dataclass(frozen=True, slots=True)
class TimePolicy:
    """The limits, in microseconds; both are still within."""

    max_lateness_us: int
    max_skew_us: int

    def judge(self, time_us: Ints, received_us: Ints, backfill: Mask, closed: Mask) -> Outcomes:
        """STORED where nothing speaks against it: no `closed` hour, and lateness only for what is no `backfill`."""
        age = received_us - time_us
        verdicts = np.full(len(age), Outcome.STORED, dtype=np.int8)
        verdicts[closed] = Outcome.HOUR_CLOSED
        verdicts[age < -self.max_skew_us] = Outcome.IN_FUTURE
        verdicts[~backfill & (age > self.max_lateness_us)] = Outcome.TOO_LATE
        return verdicts

    def reason(self, outcome: Outcome) -> Reason:
        """Translate a refusal into the contract's word for it."""
        return Reason[outcome.name]

    def detail(self, outcome: Outcome, *, time_us: int, received_us: int) -> str:
        """Say what the limit is and what to do."""
        time, receipt = rfc3339(time_us), rfc3339(received_us)
        match outcome:
            case Outcome.TOO_LATE:
                return (
                    f"time {time} is {_span(received_us - time_us)} before receipt at {receipt}; the limit is "
                    f"{_span(self.max_lateness_us)}: send older events with a key that has the scope backfill"
                )
            case Outcome.IN_FUTURE:
                return (
                    f"time {time} is {_span(time_us - received_us)} ahead of receipt at {receipt}; the limit is "
                    f"{_span(self.max_skew_us)}: set the sender's clock and send the event again"
                )
            case Outcome.HOUR_CLOSED:
                return (
                    f"the ids of the hour of time {time} are gone, so a copy would be counted twice: load an hour's "
                    f"history within 30 days of the last event written to it"
                )
            case Outcome.STORED | Outcome.DUPLICATE:
                raise ValueError(f"{outcome.name} is no refusal")
        assert_never(outcome)


def rfc3339(instant_us: int) -> str:
    """Write an instant as the contract does, in UTC."""
    return to_datetime(instant_us).isoformat().replace("+00:00", "Z")


def _span(duration_us: int) -> str:
    """Write a duration so that limits and what passes them by a microsecond differ."""
    days, rest = divmod(duration_us, 86_400 * SECOND)
    hours, rest = divmod(rest, 3_600 * SECOND)
    minutes, rest = divmod(rest, 60 * SECOND)
    seconds = f"{rest / SECOND:.6f}".rstrip("0").rstrip(".")
    parts = [f"{count} {unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if count]
    return " ".join([*parts, f"{seconds} s"] if rest or not parts else parts)
