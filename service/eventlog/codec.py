"""The record codec: rows of all families to the bytes of a log record, and back.

A record is one MessagePack array: version, producer, sequence, events, then one array of rows a
family in the order of FAMILIES (docs/adr/0001). Families, and fields of a row, are only ever
appended, with defaults, and each addition raises SCHEMA_VERSION: so every older record stays
readable, and a reader refuses what a newer writer wrote instead of dropping what it does not know.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeAlias

import msgspec

from service.domain.families.rows import (
    AccountRow,
    DeliveryRow,
    FeedbackRow,
    IncidentRow,
    ItemRow,
    MeasurementRow,
    ProbeRow,
    RecoveryRow,
    RejectedRow,
    RequestRow,
    Row,
    TicketRow,
    UsageRow,
    UserRow,
)
from service.errors import RecordTooLarge, RecordUnreadable
from service.eventlog.port import MAX_RECORD_BYTES

SCHEMA_VERSION = 2
"""1: up to `rejected`; 2: `account` to `item`."""
FAMILIES: tuple[str, ...] = (
    "usage",
    "user",
    "delivery",
    "request",
    "probe",
    "measurement",
    "incident",
    "rejected",
    "account",
    "recovery",
    "ticket",
    "feedback",
    "item",
)
"""The lists of a record, in their order: what came later stands behind `rejected`, which is no family of events."""
_KNOWN = frozenset(FAMILIES)

AnyRow: TypeAlias = Row | RejectedRow
_SPLIT_FILL = 0.9  # pieces of a split aim below the limit, for rows differ in size


class Record(msgspec.Struct, array_like=True, gc=False):
    """A batch of events as it lies in one partition of the log."""

    version: int
    producer: str
    """Who appended it: an id that a process draws at its start."""
    sequence: int
    """Counts the records of this producer in this partition, from 0: a gap shows a lost record."""
    events: int
    """How many rows follow, rejected ones included."""
    usage: list[UsageRow] = []
    user: list[UserRow] = []
    delivery: list[DeliveryRow] = []
    request: list[RequestRow] = []
    probe: list[ProbeRow] = []
    measurement: list[MeasurementRow] = []
    incident: list[IncidentRow] = []
    rejected: list[RejectedRow] = []
    account: list[AccountRow] = []
    recovery: list[RecoveryRow] = []
    ticket: list[TicketRow] = []
    feedback: list[FeedbackRow] = []
    item: list[ItemRow] = []


@dataclass(frozen=True, slots=True)
class Encoded:
    """The bytes of one record, at most MAX_RECORD_BYTES, and how many events they hold."""

    payload: bytes
    events: int


@dataclass(frozen=True, slots=True)
class Slab:
    """Rows of one family that are encoded already, one after another."""

    data: bytes
    sizes: Sequence[int]
    """Bytes of each."""


class _Head(msgspec.Struct, array_like=True, gc=False):
    """What every version begins with, so that an unknown one can be named."""

    version: int


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Record)
_HEAD_DECODER = msgspec.msgpack.Decoder(_Head)
# What msgspec raises for bytes that are damaged: bad UTF-8, absurd lengths and depths come as Python's own errors.
_DAMAGED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, MemoryError, OverflowError)


def encode(producer: str, first_sequence: int, rows: Mapping[str, Sequence[AnyRow]]) -> list[Encoded]:
    """Encode the rows of one partition, by family, as one record, or as several where one would be too large.

    The records are numbered from `first_sequence` on: the producer's next one in this partition is
    `first_sequence` plus how many are returned (none for no rows). The order within a family is kept.
    Raises RecordTooLarge for a single row that exceeds MAX_RECORD_BYTES, ValueError for an unknown family.
    """
    if not rows.keys() <= _KNOWN:
        unknown = rows.keys() - _KNOWN
        raise ValueError(f"no family {sorted(unknown)}: the log knows {', '.join(FAMILIES)}")
    pending = deque([tuple(rows.get(family, ()) for family in FAMILIES)])
    encoded: list[Encoded] = []
    while pending:
        lists = pending.popleft()
        events = sum(map(len, lists))
        if not events:
            continue
        payload = _ENCODER.encode((SCHEMA_VERSION, producer, first_sequence + len(encoded), events, *lists))
        if len(payload) <= MAX_RECORD_BYTES:
            encoded.append(Encoded(payload, events))
        elif events == 1:
            family, row = next((family, rows[0]) for family, rows in zip(FAMILIES, lists, strict=True) if rows)
            raise too_large(family, row.source, row.id, len(payload))
        else:
            pieces = min(events, 1 + int(len(payload) / (MAX_RECORD_BYTES * _SPLIT_FILL)))
            pending.extendleft(reversed(_split(lists, pieces)))
    return encoded


def mark(producer: str) -> bytes:
    """A record without events, of a producer of its own: where a sealed log ends."""
    return _ENCODER.encode((SCHEMA_VERSION, producer, 0, 0))


def decode(payload: bytes) -> Record:
    """Decode a record of this version or of an older one.

    Raises RecordUnreadable: an unknown version, damaged bytes, or counts that do not add up.
    """
    try:
        record = _DECODER.decode(payload)
    except _DAMAGED as error:
        _refuse_unknown_version(payload)
        raise RecordUnreadable(f"a record of {len(payload)} bytes is damaged: {error}") from error
    _check_version(record.version)
    found = sum(len(getattr(record, family)) for family in FAMILIES)
    if found != record.events:
        raise RecordUnreadable(
            f"record {record.sequence} of producer {record.producer} says {record.events} events and holds {found}"
        )
    return record


def written_anew(record: Record) -> bytes:
    """The payload of a decoded record as this release writes it: with all the families and fields that there are."""
    return _ENCODER.encode(msgspec.structs.replace(record, version=SCHEMA_VERSION))


def _split(lists: tuple[Sequence[AnyRow], ...], pieces: int) -> list[tuple[Sequence[AnyRow], ...]]:
    """Cut the rows, taken in the order of families, into pieces of equally many."""
    ends = list(accumulate(map(len, lists)))
    cuts = [ends[-1] * piece // pieces for piece in range(pieces + 1)]
    starts = [end - len(rows) for end, rows in zip(ends, lists, strict=True)]
    return [
        tuple(rows[max(0, low - start) : max(0, high - start)] for start, rows in zip(starts, lists, strict=True))
        for low, high in pairwise(cuts)
    ]


def too_large(family: str, source: str, event_id: str, size: int) -> RecordTooLarge:
    """The error for a single row that no record has room for."""
    return RecordTooLarge(
        f"the {family} event {event_id!r} of {source!r} takes {size} bytes in the log, "
        f"a record holds at most {MAX_RECORD_BYTES}: lower TIDEGAUGE_MAX_EVENT_BYTES to refuse it at the door"
    )


def _refuse_unknown_version(payload: bytes) -> None:
    """Name the version where the bytes are well-formed and only the form is not ours."""
    try:
        head = _HEAD_DECODER.decode(payload)
    except _DAMAGED:
        return
    _check_version(head.version)


def _check_version(version: int) -> None:
    if not 1 <= version <= SCHEMA_VERSION:
        raise RecordUnreadable(
            f"a record of schema version {version}: this release reads 1 to {SCHEMA_VERSION}; upgrade it before its writers"
        )
