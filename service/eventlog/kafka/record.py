"""The form of a record of the log in Kafka: the payload as its value, count and instant in a header."""

import struct
from typing import Any, Final

from service.domain.ids import Offset, Partition
from service.eventlog.port import Draft, Stored

HEADER: Final = "tidegauge"
_COUNTS: Final = struct.Struct(">IQ")
"""Events of the payload, and when it was appended, in microseconds since 1970."""

OVERHEAD_BYTES: Final = 1_024
"""More than what the header and Kafka's own framing take beside a payload."""


def headers(draft: Draft, *, appended_us: int) -> list[tuple[str, bytes]]:
    """What a record says beside its payload."""
    return [(HEADER, _COUNTS.pack(draft.events, appended_us))]


def timestamp_ms(instant_us: int) -> int:
    """Kafka's timestamp: never before the instant itself, so that a search by time drops nothing too early."""
    return -(-instant_us // 1_000)


def stored(found: Any) -> Stored:
    """A consumed record; one that we did not write has no events and a payload that no codec reads, so it parks its reader."""
    events, appended_us = 0, found.timestamp * 1_000
    for name, value in found.headers:
        if name == HEADER and len(value) == _COUNTS.size:
            events, appended_us = _COUNTS.unpack(value)
    return Stored(Partition(found.partition), Offset(found.offset), events, appended_us, found.value or b"")
