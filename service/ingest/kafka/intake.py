"""From records that were polled together to rows for the log: a topic's events at once, as cheaply as one batch."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from service.clock import Clock
from service.errors import EventRefused
from service.eventlog.codec import AnyRow
from service.ingest.batch import Batch, Stamp
from service.ingest.decode import Decoder
from service.ingest.kafka.record import OBJECT, PLAIN_HEADERS, events_of
from service.store.sources import Binding
from service.telemetry import Telemetry

_US_PER_MS = 1_000

Polled = Mapping[TopicPartition, Sequence[ConsumerRecord]]
"""Records by partition, in the order of their offsets."""


@dataclass(slots=True)
class Parcel:
    """What becomes one append: rows by family, and the offsets that may be committed once they are in the log."""

    rows: dict[str, list[AnyRow]] = field(default_factory=dict)
    following: dict[TopicPartition, int] = field(default_factory=dict)


class Intake:
    """Decodes records by the contract, and counts what became of them."""

    def __init__(self, decoder: Decoder, clock: Clock, telemetry: Telemetry, *, max_record_events: int) -> None:
        self._decoder = decoder
        self._clock = clock
        self._telemetry = telemetry
        self._most = max_record_events

    def take(self, polled: Polled, bindings: Mapping[str, Binding]) -> Parcel:
        """Make the parcel of these records, whose topics are all bound."""
        parcel = Parcel()
        by_topic: dict[str, list[ConsumerRecord]] = {}
        for partition, records in polled.items():
            parcel.following[partition] = records[-1].offset + 1
            by_topic.setdefault(partition.topic, []).extend(records)
        now_us = self._clock.now_us()
        for topic, records in by_topic.items():
            for received_us, run in _received_together(records, now_us):
                batch = self._decode(run, bindings[topic], received_us)
                self._count(topic, batch)
                for family, rows in batch.rows.items():
                    parcel.rows.setdefault(family, []).extend(rows)
        return parcel

    def _decode(self, records: Sequence[ConsumerRecord], binding: Binding, received_us: int) -> Batch:
        raws: list[bytes] = []
        lay: list[ConsumerRecord] = []
        refused: list[tuple[ConsumerRecord, EventRefused]] = []
        for record in records:
            value = record.value
            if value and value[:1] == OBJECT and record.headers in PLAIN_HEADERS:
                raws.append(value)
                lay.append(record)
                continue
            try:
                events = events_of(value, record.headers, most=self._most)
            except EventRefused as refusal:
                refused.append((record, refusal))
            else:
                raws += events
                lay += (record,) * len(events)
        lay += [record for record, _ in refused]

        def place(index: int) -> str:
            record = lay[index]
            return f"kafka:{record.topic}:{record.partition}:{record.offset}"

        stamp = Stamp(binding.tenant, received_us, binding.backfill, place=place)
        batch = self._decoder.decode_each(raws, stamp)
        for index, (record, why) in enumerate(refused, len(raws)):
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
