"""Records of the log, scanned: which of them can be read, and their rows as columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from service.aggregate.records import fields, scan
from service.aggregate.records.columns import EVERYTHING, ROW_TYPES, Reading
from service.aggregate.records.dictionary import dictionary
from service.aggregate.records.frames import Cells, frames, whole_frame
from service.aggregate.records.msgpack import PADDING, Words, words_of
from service.aggregate.records.room import Room, room_for
from service.domain.families.rows import RejectedRow
from service.domain.ids import Partition
from service.errors import RecordUnreadable
from service.eventlog.codec import SCHEMA_VERSION, decode, written_anew
from service.eventlog.port import Stored

Ints = npt.NDArray[np.int64]

SAMPLED: Final = 32
"""Of how many records one is looked at beforehand."""

_DOUBTS = (RecordUnreadable, UnicodeDecodeError, msgspec.MsgspecError, pl.exceptions.PolarsError)
_REJECTED = msgspec.msgpack.Decoder(list[RejectedRow])


@dataclass(frozen=True, slots=True)
class Scanned:
    """Records that could be read, in the order of the log."""

    records: list[Stored]
    frames: dict[str, pl.DataFrame]
    """By family, only those that have rows; these stand in the order of the records."""
    cells: Cells
    partitions: int
    """The log's count."""
    events: list[int]
    """Of each record, rejected ones included."""
    producers: list[tuple[str, int]]
    """Of each record who wrote it, and its sequence."""
    rejected: list[tuple[Partition, RejectedRow]]
    unreadable: dict[Partition, str]
    """Partitions whose next record this release cannot read, and why; their records end before it."""

    @property
    def rows(self) -> Ints:
        """Records x families: how many rows."""
        return self.cells.rows

    def whole(self, family: str) -> pl.DataFrame:
        """The frame of a family with the columns that were left out, too."""
        return whole_frame(self.cells, family, partitions=self.partitions)


def prepare() -> None:
    """Have everything compiled, or read from where it is kept."""
    scan_records((), partitions=1)


def scan_records(
    records: Sequence[Stored], *, partitions: int, reading: Reading = EVERYTHING, room: Room | None = None
) -> Scanned:
    """Scan records, those of a partition in the order of their offsets; `partitions` is the log's count.

    Pure; but that `room`, where it is given, is written over by the next scan: until then `Scanned.whole` is good.
    """
    room = room or Room()
    unreadable = dict[Partition, str]()
    left = list(records)
    try:
        return _scan(left, partitions, unreadable, reading, room)
    except _DOUBTS:
        # Something is not as this release writes it: the codec reads older records, and says what it cannot read.
        left = list(_written_anew(left, partitions, unreadable))
    return _scan(left, partitions, unreadable, reading, room)


def _written_anew(records: list[Stored], partitions: int, unreadable: dict[Partition, str]) -> Iterator[Stored]:
    """The records that can be read, with all fields that rows have today; notes where the others begin."""
    for stored in records:
        if stored.partition in unreadable:
            continue
        try:
            record = decode(stored.payload)
            renewed = replace(stored, events=record.events, payload=written_anew(record))
            _scan([renewed], partitions, {}, EVERYTHING, Room())
        except _DOUBTS as error:
            unreadable[stored.partition] = f"record {stored.offset} of partition {stored.partition}: {error}"
        else:
            yield renewed


def _scan(records: list[Stored], partitions: int, unreadable: dict[Partition, str], reading: Reading, room: Room) -> Scanned:
    """Raises RecordUnreadable, and what Python and msgspec raise for damaged texts and maps."""
    payloads = [stored.payload for stored in records]
    together = b"".join([*payloads, PADDING])
    ends = np.fromiter(accumulate(map(len, payloads)), dtype=np.int64, count=len(payloads))
    texts = events = sum(stored.events for stored in records)
    words = words_of(together)
    place = room.take(events, _sample(words, ends, events))
    while (cells := _cells(together, words, ends, place, texts, reading)) is None:
        texts *= 2
    heads = cells.heads
    producers = [
        (together[begin:end].decode(), sequence)
        for begin, end, sequence in heads[:, [scan.PRODUCER_FROM, scan.PRODUCER_END, scan.SEQUENCE]].tolist()
    ]
    rejected = [
        (records[number].partition, row)
        for number in np.flatnonzero(heads[:, scan.REJECTED]).tolist()
        for row in _REJECTED.decode(together[heads[number, scan.REJECTED_FROM] : heads[number, scan.REJECTED_END]])
    ]
    made = frames(cells, partitions=partitions)
    return Scanned(records, made, cells, partitions, heads[:, scan.EVENTS].tolist(), producers, rejected, unreadable)


def _cells(data: bytes, words: Words, ends: Ints, cells: Ints, room: int, reading: Reading) -> Cells | None:
    """Scan with room for so many different texts; None where that is not enough."""
    heads = np.zeros((len(ends), scan.HEADS), dtype=np.int64)
    rows = np.zeros((len(ends), len(ROW_TYPES)), dtype=np.int64)
    status, stopped = scan.places(words, ends, reading.layout, cells, rows, heads)
    versions = heads[:, scan.VERSION]
    if status != fields.DONE or (versions < 1).any() or (versions > SCHEMA_VERSION).any():
        raise RecordUnreadable(f"of {len(ends)} records, number {stopped} is not as this release writes it")
    texts, packed = dictionary(room), dictionary(room)
    status = scan.values(words, reading.layout, rows.sum(axis=0), cells, texts, packed)
    if status == fields.DAMAGED:
        raise RecordUnreadable(f"a field in one of {len(ends)} records is not of its type")
    return Cells(data, words, heads, rows, cells, texts, packed, reading) if status == fields.DONE else None


def _sample(words: Words, ends: Ints, events: int) -> Ints:
    """How many rows of each family the first few of many records have."""
    some = ends[: len(ends) // SAMPLED]
    rows: Ints = np.zeros((len(some), len(ROW_TYPES)), dtype=np.int64)
    heads = np.zeros((len(some), scan.HEADS), dtype=np.int64)
    # A scan that comes to nothing here will come to nothing there, where it is said.
    scan.places(words, some, EVERYTHING.layout, room_for(events, rows.sum(axis=0)), rows, heads)
    counts: Ints = rows.sum(axis=0)
    return counts
