"""From events that were read to rows for the log: stamped, hashed, and held against what their types cannot say."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from service.domain.families.envelope import Envelope, Intake
from service.domain.families.registry import FAMILIES
from service.domain.families.rows import Row
from service.domain.identity import IdHasher
from service.domain.names import Known, name_fault, source_fault
from service.domain.timestamps import Instants
from service.errors import EventRefused
from service.ingest.batch import Batch, Limits, Stamp
from service.ingest.reading import tolerant
from service.ingest.rejecting import Rejecter


class Raws(Protocol):
    """The bytes of events, by their place."""

    def __getitem__(self, index: int, /) -> bytes: ...


class Shaper:
    """Makes rows: one for a process, for any number of its threads (it remembers only which texts were good)."""

    def __init__(self, hasher: IdHasher, rejecter: Rejecter, limits: Limits) -> None:
        self._hasher = hasher
        self._rejecter = rejecter
        self._max_lateness_us = limits.max_lateness_us
        self._max_skew_us = limits.max_skew_us
        self._makers = {family.event: (family.name, family.to_row) for family in FAMILIES}
        self._makers |= {tolerant(family.event): (family.name, family.to_row) for family in FAMILIES}
        self._names = Known(name_fault)
        self._sources = Known(source_fault)
        self._instants = Instants()

    def shape(self, indexes: Iterable[int], events: Iterable[Envelope], raws: Raws, stamp: Stamp, batch: Batch) -> None:
        """Add the rows of these events to a batch, and the refusals of those that break the contract."""
        for _, family, row in self.shaped(indexes, events, raws.__getitem__, stamp, batch):
            kept: list[Any] = batch.rows.setdefault(family, [])
            kept.append(row)
            batch.accepted += 1

    def shaped(
        self, indexes: Iterable[int], events: Iterable[Envelope], raw_of: Callable[[int], bytes], stamp: Stamp, batch: Batch
    ) -> Iterator[tuple[int, str, Row]]:
        """The rows of these events, each with its place and family; adds to the batch only what is refused, and rounded.

        `indexes` are the places of the events in the request; `raw_of` is asked only for what may be refused.
        """
        hash_of, makers, sources, instant_of = self._hasher.of, self._makers, self._sources, self._instants.of
        tenant = stamp.tenant
        oldest_us = stamp.received_us - self._max_lateness_us
        newest_us = stamp.received_us + self._max_skew_us
        intake = Intake(tenant, stamp.received_us, stamp.backfill, self._names)
        for index, event in zip(indexes, events, strict=True):
            try:
                source, time = event.source, event.time
                if source not in sources:
                    sources.require(("source",), (source,))
                raw = time_us = None
                if time is not None:
                    time_us = instant_of(time, "time")
                    if not oldest_us <= time_us <= newest_us:
                        # Whether it is refused is the aggregator's to say; the dead letter then needs the bytes.
                        raw = raw_of(index)
                family, to_row = makers[type(event)]
                row = to_row(event, hash_of(tenant, source, event.id, time_us), time_us, raw, intake)
            except EventRefused as refusal:
                batch.refuse(*self._rejecter.reject(index, raw_of(index), refusal, stamp))
            else:
                yield index, family, row
        batch.rounded += intake.rounded
