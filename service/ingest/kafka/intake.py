"""From what was fetched of topics to rows for the log: a run of records at once, as cheaply as one batch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from aiokafka import TopicPartition

from service.clock import Clock
from service.errors import EventRefused
from service.eventlog.codec import AnyRow
from service.ingest.batch import Batch, PackedRows, Stamp
from service.ingest.decode import Decoder
from service.ingest.kafka.record import events_of, headers_in
from service.kafka.batches import OFFSET, PLAIN, VALUE, VALUE_BYTES
from service.kafka.haul import Haul, Ints, Run, Unreadable, prepare
from service.kafka.unpacking import Unpacker
from service.store.sources import Binding
from service.telemetry import Telemetry

PARCEL_EVENTS: Final = 10_000
PARCEL_BYTES: Final = 2_000_000
"""How much is decoded without a pause; a parcel holds less than twice as much, and one record."""
_US_PER_MS: Final = 1_000


@dataclass(slots=True)
class Parcel:
    """What becomes one append: rows by family, and the offsets that may be committed once they are in the log."""

    rows: dict[str, list[AnyRow]] = field(default_factory=dict)
    packed: list[PackedRows] = field(default_factory=list)
    following: dict[TopicPartition, int] = field(default_factory=dict)
    events: int = 0
    size: int = 0
    """Bytes of the records that it was made of."""

    @property
    def is_full(self) -> bool:
        """Whether it is time for the next one."""
        return self.events >= PARCEL_EVENTS or self.size >= PARCEL_BYTES


class Intake:
    """Decodes records by the contract, and counts what became of them."""

    def __init__(
        self, decoder: Decoder, clock: Clock, telemetry: Telemetry, *, max_record_events: int, max_unpacked_bytes: int
    ) -> None:
        self._decoder = decoder
        self._clock = clock
        self._telemetry = telemetry
        self._most = max_record_events
        self._unpacker = Unpacker(max_unpacked_bytes)
        prepare()

    def parcels(self, hauls: Sequence[Haul], bindings: Mapping[str, Binding]) -> Iterator[Parcel]:
        """Make parcels of what was fetched, of topics that are all bound; each is decoded when it is asked for."""
        parcel = Parcel()
        for haul in hauls:
            binding = bindings[haul.partition.topic]
            for part in haul.parts(self._unpacker):
                for batch, following, size in self._batches(part, haul.partition, binding):
                    self._put(parcel, batch, binding.topic)
                    parcel.size += size
                    parcel.following[haul.partition] = following
                    if parcel.is_full:
                        yield parcel
                        parcel = Parcel()
            parcel.following[haul.partition] = haul.following
        if parcel.following:
            yield parcel

    def _batches(self, part: Run | Unreadable, partition: TopicPartition, binding: Binding) -> Iterator[tuple[Batch, int, int]]:
        """The events of a part, piece by piece; with the offset behind each piece, and its size."""
        now_us = self._clock.now_us()
        if isinstance(part, Unreadable):
            yield self._refused(part, partition, binding, now_us), part.following, len(part.raw)
            return
        # A broker's clock may be ahead of ours, but nothing is received later than now.
        received_us = now_us if part.stamp_ms is None else min(part.stamp_ms * _US_PER_MS, now_us)
        for cells in _pieces(part.cells):
            offsets = cells[:, OFFSET]
            decode = self._decode_plain if cells[0, PLAIN] else self._decode_others
            batch = decode(part, cells, _Stamped(partition, binding, received_us, offsets))
            yield batch, int(offsets[-1]) + 1, int(cells[:, VALUE_BYTES].clip(0).sum())
        yield Batch(), part.following, 0

    def _decode_plain(self, run: Run, cells: Ints, stamp: "_Stamped") -> Batch:
        """Records that are each an event, as they lie."""
        return self._decoder.decode_spans(run.read, cells[:, VALUE], cells[:, VALUE_BYTES], stamp.of(None))

    def _decode_others(self, run: Run, cells: Ints, stamp: "_Stamped") -> Batch:
        """Records whose headers say what they are, or that hold several events, or none."""
        begin = run.read.ctypes.data
        raws: list[bytes] = []
        lay: list[int] = []
        refused: list[tuple[int, bytes, EventRefused]] = []
        for number, (value_at, size, _, _, headers_at, headers_end) in enumerate(cells.tolist()):
            value = None if size < 0 else run.read[value_at - begin : value_at - begin + size].tobytes()
            try:
                headers = headers_in(run.read[headers_at - begin : headers_end - begin].tobytes())
                events = events_of(value, headers, most=self._most)
            except EventRefused as refusal:
                refused.append((number, value or b"", refusal))
            else:
                raws += events
                lay += (number,) * len(events)
        placed = stamp.of(lay + [number for number, _, _ in refused])
        batch = self._decoder.decode_each(raws, placed)
        for index, (_, raw, why) in enumerate(refused, len(raws)):
            self._decoder.refuse(index, raw, why, placed, batch)
        return batch

    def _refused(self, part: Unreadable, partition: TopicPartition, binding: Binding, now_us: int) -> Batch:
        """What stands in the dead letters for a batch that cannot be read: where it begins, how far it goes, and why."""
        batch = Batch()
        last = part.following - 1
        span = f"at offset {last}" if last == part.offset else f"at offsets {part.offset} to {last}"
        refusal = EventRefused(part.reason, "", f"a batch of records {span} {part.why}")
        stamp = _Stamped(partition, binding, now_us, np.array([part.offset]))
        self._decoder.refuse(0, part.raw, refusal, stamp.of(None), batch)
        self._telemetry.source_unreadable.labels(partition.topic).inc(part.following - part.offset)
        return batch

    def _put(self, parcel: Parcel, batch: Batch, topic: str) -> None:
        for family, rows in batch.rows.items():
            parcel.rows.setdefault(family, []).extend(rows)
        parcel.packed += batch.packed
        parcel.events += batch.accepted + len(batch.rejected)
        if batch.accepted:
            self._telemetry.source_events.labels(topic, "accepted").inc(batch.accepted)
        for rejection in batch.rejected:
            self._telemetry.source_events.labels(topic, rejection.reason).inc()
        self._telemetry.ingest_unknown_fields.inc(batch.unknown_fields)
        self._telemetry.ingest_rounded.inc(batch.rounded)


@dataclass(frozen=True, slots=True)
class _Stamped:
    """The stamp of records, but for which of them an event lay in."""

    partition: TopicPartition
    binding: Binding
    received_us: int
    offsets: Ints

    def of(self, lay: Sequence[int] | None) -> Stamp:
        """The stamp of events of which each lay in one of the records, by its number; None: each in its own."""

        def place(index: int) -> str:
            number = index if lay is None else lay[index]
            return f"kafka:{self.partition.topic}:{self.partition.partition}:{self.offsets[number]}"

        return Stamp(self.binding.tenant, self.received_us, self.binding.backfill, place=place)


def _pieces(cells: Ints) -> Iterator[Ints]:
    """Records that follow one another, are all plain or all others, and are not too many to be decoded at once."""
    if not len(cells):
        return
    sizes = np.cumsum(cells[:, VALUE_BYTES].clip(0))
    parts = (cells[:, PLAIN], sizes // PARCEL_BYTES, np.arange(len(cells)) // PARCEL_EVENTS)
    changes = np.flatnonzero(np.any([np.diff(part) != 0 for part in parts], axis=0)) + 1
    yield from (cells[first:last] for first, last in zip([0, *changes], [*changes, len(cells)], strict=True))
