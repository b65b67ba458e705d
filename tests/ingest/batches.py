"""What is in a batch: its rows as the log would give them back."""

from service.domain.families.rows import RejectedRow, Row
from service.domain.identity import partition_of
from service.eventlog.codec import FAMILIES, decode
from service.ingest.batch import Batch
from service.ingest.shares import shares


def rows_of(batch: Batch, partitions: int = 1) -> dict[str, list[Row | RejectedRow]]:
    """The rows of a batch by family, out of the records that it becomes; each lies where its hash says."""
    found: dict[str, list[Row | RejectedRow]] = {}
    for partition, share in shares([(batch.rows, batch.packed)], partitions).items():
        for encoded in share.encoded("producer", 0):
            record = decode(encoded.payload)
            assert record.events == encoded.events
            for family in FAMILIES:
                for row in getattr(record, family):
                    assert partition_of(row.id_hash, partitions) == partition
                    found.setdefault(family, []).append(row)
    return found
