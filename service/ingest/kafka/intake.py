"""From records that were polled together to rows for the log: a topic's events at once, as cheaply as one batch."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from service.clock import Clock
from service.errors import EventRefused
from service.eventlog.codec import AnyRow
from service.ingest.batch import Batch, PackedRows, Stamp
from service.ingest.decode import Decoder
from service.ingest.kafka.record import OBJECT, PLAIN_HEADERS, events_of
from service.store.sources import Binding
from service.telemetry import Telemetry

PARCEL_EVENTS = 10_000
PARCEL_BYTES = 2_000_000
"""How much is decoded without a pause, some 50 ms; a parcel holds less than twice as much, and one record."""
_US_PER_MS = 1_000

Polled = Mapping[TopicPartition, Sequence[ConsumerRecord]]
"""Records by partition, in the order of their offsets."""


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


@dataclass(slots=True)
class _Piece:
    """Records of a topic that are decoded at once: the events, and which record each of them lay in."""

    records: list[ConsumerRecord] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    lay: list[ConsumerRecord] = field(default_factory=list)
    refused: list[tuple[ConsumerRecord, EventRefused]] = field(default_factory=list)
    size: int = 0

    @property
    def is_full(self) -> bool:
        return len(self.raws) >= PARCEL_EVENTS or self.size >= PARCEL_BYTES


class Intake:
    """Decodes records by the contract, and counts what became of them."""

    def __init__(self, decoder: Decoder, clock: Clock, telemetry: Telemetry, *, max_record_events: int) -> None:
        self._decoder = decoder
        self._clock = clock
        self._telemetry = telemetry
        self._most = max_record_events

    def parcels(self, polled: Polled, bindings: Mapping[str, Binding]) -> Iterator[Parcel]:
        """Make parcels of these records, whose topics are all bound; each is decoded when it is asked for."""
        by_topic: dict[str, list[ConsumerRecord]] = {}
        for partition, records in polled.items():
            by_topic.setdefault(partition.topic, []).extend(records)
        now_us = self._clock.now_us()
        parcel = Parcel()
        for topic, records in by_topic.items():
            for received_us, run in _received_together(records, now_us):
                for piece in self._pieces(run):
                    self._put(parcel, piece, bindings[topic], received_us)
                    if parcel.is_full:
                        yield parcel
                        parcel = Parcel()
        if parcel.following:
            yield parcel

    def _pieces(self, records: Sequence[ConsumerRecord]) -> Iterator[_Piece]:
        piece = _Piece()
        for record in records:
            if piece.is_full:
                yield piece
                piece = _Piece()
            value = record.value
            piece.records.append(record)
            piece.size += record.serialized_value_size
            if value and value[:1] == OBJECT and record.headers in PLAIN_HEADERS:
                piece.raws.append(value)
                piece.lay.append(record)
                continue
            try:
                events = events_of(value, record.headers, most=self._most)
            except EventRefused as refusal:
                piece.refused.append((record, refusal))
            else:
                piece.raws += events
                piece.lay += (record,) * len(events)
        yield piece

    def _put(self, parcel: Parcel, piece: _Piece, binding: Binding, received_us: int) -> None:
        batch = self._decode(piece, binding, received_us)
        self._count(binding.topic, batch)
        for family, rows in batch.rows.items():
            parcel.rows.setdefault(family, []).extend(rows)
        parcel.packed += batch.packed
        parcel.events += batch.accepted + len(batch.rejected)
        parcel.size += piece.size
        last = {record.partition: record.offset for record in piece.records}
        parcel.following |= {TopicPartition(binding.topic, number): offset + 1 for number, offset in last.items()}

    def _decode(self, piece: _Piece, binding: Binding, received_us: int) -> Batch:
        lay = piece.lay + [record for record, _ in piece.refused]

        def place(index: int) -> str:
            record = lay[index]
            return f"kafka:{record.topic}:{record.partition}:{record.offset}"

        stamp = Stamp(binding.tenant, received_us, binding.backfill, place=place)
        batch = self._decoder.decode_each(piece.raws, stamp)
        for index, (record, why) in enumerate(piece.refused, len(piece.raws)):
            self._decoder.refuse(index, record.value or b"", why, stamp, batch)
        return batch

    def _count(self, topic: str, batch: Batch) -> None:
        telemetry = self._telemetry
        telemetry.source_events.labels(topic, "accepted").inc(batch.accepted)
        for rejection in batch.rejected:
            telemetry.source_events.labels(topic, rejection.reason).inc()
        telemetry.ingest_unknown_fields.inc(batch.unknown_fields)
        telemetry.ingest_rounded.inc(batch.rounded)


def _received_together(records: list[ConsumerRecord], now_us: int) -> Iterator[tuple[int, Sequence[ConsumerRecord]]]:
    """Records by the instant of their receipt: the broker's, where it stamps them itself (LogAppendTime), else now."""
    if not any(record.timestamp_type for record in records):
        yield now_us, records
        return
    by_instant: Iterable[tuple[Any, Iterator[ConsumerRecord]]] = groupby(
        records, key=lambda record: record.timestamp if record.timestamp_type else None
    )
    for stamped_ms, run in by_instant:
        # A broker's clock may be ahead of ours, but nothing is received later than now.
        yield now_us if stamped_ms is None else min(stamped_ms * _US_PER_MS, now_us), list(run)
