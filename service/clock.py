"""The one place where the time of day comes from."""

import time
from datetime import UTC, datetime
from typing import Protocol

MICROSECOND = 1
MILLISECOND = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
QUARTER = 15 * MINUTE
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Clock(Protocol):
    """Tells the time; tests pass one that they can move."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
        return time.time_ns() // 1_000


def to_datetime(instant_us: int) -> datetime:
    """The aware UTC datetime of an instant in microseconds since 1970."""
    return datetime.fromtimestamp(instant_us // SECOND, UTC).replace(microsecond=instant_us % SECOND)


def to_us(instant: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    seconds = int(instant.replace(microsecond=0).timestamp())
    return seconds * SECOND + instant.microsecond
