"""The form of a record of the log in Kafka: the payload as its value, count and instant in a header."""

import struct
from collections.abc import Iterator
from typing import Final

from service.domain.ids import Offset, Partition
from service.eventlog.port import Draft, Stored
from service.kafka.haul import Run

HEADER: Final = "tidegauge"
_COUNTS: Final = struct.Struct(">IQ")
"""Events of the payload, and when it was appended, in microseconds since 1970."""

_OUR_HEADER: Final = bytes((2 * len(HEADER),)) + HEADER.encode() + bytes((2 * _COUNTS.size,))
"""Name and size of the header as they lie in a record (message format 2: sizes are zigzag integers)."""
_US_PER_MS: Final = 1_000

OVERHEAD_BYTES: Final = 1_024
"""More than what the header and Kafka's own framing take beside a payload."""


def headers(draft: Draft, *, appended_us: int) -> list[tuple[str, bytes]]:
    """What a record says beside its payload."""
    return [(HEADER, _COUNTS.pack(draft.events, appended_us))]


def timestamp_ms(instant_us: int) -> int:
    """Kafka's timestamp: never before the instant itself, so that a search by time drops nothing too early."""
    return -(-instant_us // 1_000)


def records_of(run: Run, partition: Partition) -> Iterator[Stored]:
    """The records of a run; one that we did not write has no events and a payload that no codec reads, so it parks its reader."""
    begin, read = run.read.ctypes.data, run.read.data
    for value_at, size, offset, _, headers_at, headers_end in run.cells.tolist():
        said = bytes(read[headers_at - begin : headers_end - begin])
        events, appended_us = 0, run.newest_ms * _US_PER_MS
        if (place := said.find(_OUR_HEADER)) >= 0 and len(said) - place >= len(_OUR_HEADER) + _COUNTS.size:
            events, appended_us = _COUNTS.unpack_from(said, place + len(_OUR_HEADER))
        payload = bytes(read[value_at - begin : value_at - begin + max(size, 0)])
        yield Stored(partition, Offset(offset), events, appended_us, payload)
