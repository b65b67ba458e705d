"""A batch: records of the log as columns, with what is needed to decide about each event."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from service.aggregate.grouping import codes, grouped_rows
from service.aggregate.records.columns import EVERYTHING, Reading
from service.aggregate.records.room import Room
from service.aggregate.records.scanned import Scanned, scan_records
from service.domain.families.rows import RejectedRow
from service.domain.ids import Offset, Partition
from service.eventlog.port import Stored

Ints = npt.NDArray[np.int64]

KEPT_CHARACTERS = {"source": 512, "id": 256, "reason": 64, "detail": 2_000, "origin": 600, "time": 64}
"""How much of a refused event's texts is kept; its bytes are beside them."""


@dataclass(slots=True)
class Span:
    """What a batch holds of one partition: the records from `first` up to `next`."""

    first: Offset
    next: Offset
    events: int = 0
    newest_received_us: int = 0


@dataclass(slots=True)
class Sequences:
    """The records of one producer in one partition."""

    next: int = 0
    records: int = 0


@dataclass(frozen=True, slots=True)
class Heads:
    """The events of all families, one after another, as arrays of equal length."""

    hi: npt.NDArray[np.uint64]
    lo: npt.NDArray[np.uint64]
    partition: Ints
    tenant: Ints
    time_us: Ints
    timed: npt.NDArray[np.bool_]
    received_us: Ints
    backfill: npt.NDArray[np.bool_]
    source: Ints
    """Place of the event's source in `Batch.sources`."""
    record: Ints
    """Place of the event's record in the batch; of two copies the one in the earlier record came first."""

    def __len__(self) -> int:
        return len(self.hi)


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in the order of the log."""

    frames: dict[str, pl.DataFrame]
    """By family, only those that have events."""
    heads: Heads
    """In the order of `frames`."""
    sources: pl.Series
    """Names of sources; one that several families come from may be there more than once."""
    rejected: list[tuple[Partition, RejectedRow]]
    """What ingest refused."""
    places: list[tuple[Partition, Offset]]
    """Where each record lies."""
    spans: dict[Partition, Span]
    producers: dict[tuple[Partition, str], Sequences]
    whole: Callable[[str], pl.DataFrame]
    """The frame of a family with the columns that were left out, too."""
    unreadable: dict[Partition, str] = field(default_factory=dict)
    """Partitions whose next record this release cannot read, and why; the batch ends before it."""

    @property
    def events(self) -> int:
        """How many events, rejected ones included."""
        return len(self.heads) + len(self.rejected)


def read_batch(records: Sequence[Stored], *, partitions: int, reading: Reading = EVERYTHING, room: Room | None = None) -> Batch:
    """Decode records into columns, for a thread. Records of a partition are in the order of their offsets.

    The next batch writes over `room`: `Batch.whole`, and of the frames hashes and codes, are good until then.
    """
    scanned = scan_records(records, partitions=partitions, reading=reading, room=room)
    places = [(stored.partition, stored.offset) for stored in scanned.records]
    numbers = np.arange(len(places))
    of_record = [np.repeat(numbers, rows) for rows in scanned.rows.T if rows.any()]
    sources, source = _sources(list(scanned.frames.values()))
    heads = _heads(list(scanned.frames.values()), source, of_record, places)
    rejected = [(partition, _fitting(row)) for partition, row in scanned.rejected]
    spans = _spans(scanned)
    newest = np.zeros(max(spans, default=0) + 1, dtype=np.int64)
    np.maximum.at(newest, heads.partition, heads.received_us)
    for partition, row in rejected:
        newest[partition] = max(newest[partition], row.received_us)
    for partition, span in spans.items():
        span.newest_received_us = int(newest[partition])
    return Batch(scanned.frames, heads, sources, rejected, places, spans, _producers(scanned), scanned.whole, scanned.unreadable)


def _spans(scanned: Scanned) -> dict[Partition, Span]:
    spans: dict[Partition, Span] = {}
    for stored, events in zip(scanned.records, scanned.events, strict=True):
        span = spans.setdefault(stored.partition, Span(stored.offset, stored.offset))
        span.next = Offset(stored.offset + 1)
        span.events += events
    return spans


def _producers(scanned: Scanned) -> dict[tuple[Partition, str], Sequences]:
    producers: dict[tuple[Partition, str], Sequences] = {}
    for stored, (producer, sequence) in zip(scanned.records, scanned.producers, strict=True):
        sequences = producers.setdefault((stored.partition, producer), Sequences())
        sequences.next = max(sequences.next, sequence + 1)
        sequences.records += 1
    return producers


def _fitting(row: RejectedRow) -> RejectedRow:
    """Make a refused event's texts such that Postgres keeps them: it may have been refused for just that."""
    texts = {name: getattr(row, name).replace("\0", "\ufffd")[:most] for name, most in KEPT_CHARACTERS.items()}
    return msgspec.structs.replace(row, **texts)


def _sources(frames: list[pl.DataFrame]) -> tuple[pl.Series, Ints]:
    """The sources of the families' events, and for each event the place of its own."""
    names, places = [pl.Series("source", [], dtype=pl.String)], [np.empty(0, dtype=np.int64)]
    for frame in frames:
        told, of_row = grouped_rows(frame[["source", *codes(frame, "source")]])
        places.append(of_row + sum(map(len, names)))
        names.append(told["source"])
    return pl.concat(names), np.concatenate(places)


def _heads(frames: list[pl.DataFrame], source: Ints, of_record: list[Ints], places: list[tuple[Partition, Offset]]) -> Heads:
    def joined(column: str, dtype: type[np.generic]) -> npt.NDArray[Any]:
        arrays = [np.empty(0, dtype=dtype), *(frame[column].to_numpy() for frame in frames)]
        return np.concatenate(arrays).astype(dtype, copy=False)

    record = np.concatenate([np.empty(0, dtype=np.int64), *of_record])
    # The partition that the record lies in, not the one that its hash says: that is where its copies meet.
    partition = np.fromiter((partition for partition, _ in places), dtype=np.int64, count=len(places))
    return Heads(
        hi=joined("hash_hi", np.uint64),
        lo=joined("hash_lo", np.uint64),
        partition=partition[record],
        tenant=joined("tenant", np.int64),
        time_us=joined("time_us", np.int64),
        timed=joined("timed", np.bool_),
        received_us=joined("received_us", np.int64),
        backfill=joined("backfill", np.bool_),
        source=source,
        record=record,
    )
