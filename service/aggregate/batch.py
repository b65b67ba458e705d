"""A batch: records of the log as columns, with what is needed to decide about each event."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from service.aggregate.columns import ROW_TYPES, columns
from service.domain.families.rows import RejectedRow, Row
from service.domain.ids import Offset, Partition
from service.errors import RecordUnreadable
from service.eventlog.codec import Record, decode
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
    rejected: list[tuple[Partition, RejectedRow]]
    """What ingest refused."""
    places: list[tuple[Partition, Offset]]
    """Where each record lies."""
    spans: dict[Partition, Span]
    producers: dict[tuple[Partition, str], Sequences]
    unreadable: dict[Partition, str] = field(default_factory=dict)
    """Partitions whose next record this release cannot read, and why; the batch ends before it."""

    @property
    def events(self) -> int:
        """How many events, rejected ones included."""
        return len(self.heads) + len(self.rejected)


@dataclass(slots=True)
class _Gathered:
    rows: dict[str, list[Row]] = field(default_factory=lambda: {family: [] for family in ROW_TYPES})
    counts: dict[str, list[int]] = field(default_factory=lambda: {family: [] for family in ROW_TYPES})
    batch: Batch = field(
        default_factory=lambda: Batch(frames={}, heads=_heads([], [], []), rejected=[], places=[], spans={}, producers={})
    )

    def add(self, stored: Stored, record: Record) -> None:
        batch, partition = self.batch, stored.partition
        span = batch.spans.setdefault(partition, Span(stored.offset, stored.offset))
        span.next = Offset(stored.offset + 1)
        span.events += record.events
        for family, taken in self.rows.items():
            new: list[Row] = getattr(record, family)
            taken.extend(new)
            self.counts[family].append(len(new))
        batch.rejected.extend((partition, _fitting(row)) for row in record.rejected)
        received = [row.received_us for row in record.rejected]
        span.newest_received_us = max(span.newest_received_us, *received, 0)
        batch.places.append((partition, stored.offset))
        sequences = batch.producers.setdefault((partition, record.producer), Sequences())
        sequences.next = max(sequences.next, record.sequence + 1)
        sequences.records += 1


def read_batch(records: Sequence[Stored], *, partitions: int) -> Batch:
    """Decode records into columns; pure, for a thread. Records of a partition are in the order of their offsets."""
    gathered = _Gathered()
    unreadable = gathered.batch.unreadable
    for stored in records:
        if stored.partition in unreadable:
            continue
        try:
            record = decode(stored.payload)
        except RecordUnreadable as error:
            unreadable[stored.partition] = f"record {stored.offset} of partition {stored.partition}: {error}"
            continue
        gathered.add(stored, record)
    batch = gathered.batch
    frames = {family: columns(family, rows, partitions=partitions) for family, rows in gathered.rows.items() if rows}
    of_record = [np.repeat(np.arange(len(batch.places)), gathered.counts[family]) for family in frames]
    heads = _heads(list(frames.values()), of_record, batch.places)
    for partition, span in batch.spans.items():
        received = heads.received_us[heads.partition == partition]
        span.newest_received_us = max(span.newest_received_us, int(received.max()) if received.size else 0)
    return Batch(frames, heads, batch.rejected, batch.places, batch.spans, batch.producers, unreadable)


def _fitting(row: RejectedRow) -> RejectedRow:
    """Make a refused event's texts such that Postgres keeps them: it may have been refused for just that."""
    texts = {name: getattr(row, name).replace("\0", "\ufffd")[:most] for name, most in KEPT_CHARACTERS.items()}
    return msgspec.structs.replace(row, **texts)


def _heads(frames: list[pl.DataFrame], of_record: list[Ints], places: list[tuple[Partition, Offset]]) -> Heads:
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
        record=record,
    )
