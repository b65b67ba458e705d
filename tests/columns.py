"""Rows as the aggregator sees them: written to records, and read back as columns."""

from collections.abc import Sequence

import polars as pl

from service.aggregate.records.columns import schema
from service.aggregate.records.scanned import scan_records
from service.domain.families.rows import Row
from service.domain.ids import Offset, Partition
from service.eventlog.codec import encode
from service.eventlog.port import Stored


def stored(payload: bytes, events: int, offset: int = 0, partition: int = 0) -> Stored:
    return Stored(Partition(partition), Offset(offset), events, 0, payload)


def columns(family: str, rows: Sequence[Row], *, partitions: int = 1) -> pl.DataFrame:
    records = [stored(one.payload, one.events, offset) for offset, one in enumerate(encode("test", 0, {family: rows}))]
    scanned = scan_records(records, partitions=partitions)
    assert not scanned.unreadable
    return scanned.frames.get(family, pl.DataFrame(schema=schema(family)))
