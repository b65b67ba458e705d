"""From events that were read to rows for the log: stamped, hashed, and held against what their types cannot say."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Protocol

from service.domain.families.envelope import Envelope, Intake
from service.domain.families.registry import FAMILIES
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
        """Add the rows of these events to a batch, and the refusals of those that break the contract: the hot loop of the door.

        `indexes` are the places of the events in the request; `raws` are looked at only for what may be refused.
        """
        hash_of, makers, sources, instant_of = self._hasher.of, self._makers, self._sources, self._instants.of
        tenant = stamp.tenant
        oldest_us = stamp.received_us - self._max_lateness_us
        newest_us = stamp.received_us + self._max_skew_us
        intake = Intake(tenant, stamp.received_us, stamp.backfill, self._names)
        rows: dict[str, list[Any]] = defaultdict(list)
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
                        raw = raws[index]
                family, to_row = makers[type(event)]
                rows[family].append(to_row(event, hash_of(tenant, source, event.id, time_us), time_us, raw, intake))
            except EventRefused as refusal:
                batch.refuse(*self._rejecter.reject(index, raws[index], refusal, stamp))
        for family, kept in rows.items():
            if kept:  # all events of a family may have been refused
                batch.rows.setdefault(family, []).extend(kept)
                batch.accepted += len(kept)
        batch.rounded += intake.rounded
