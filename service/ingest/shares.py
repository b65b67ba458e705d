"""Rows of many requests, by the partition that each belongs to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from service.domain.identity import partition_of
from service.domain.ids import Partition
from service.eventlog.codec import AnyRow, Encoded, encode
from service.eventlog.slabs import Slabs, encode_slabs, slab_of
from service.ingest.batch import PackedRows


@dataclass(slots=True)
class Share:
    """What one partition gets of an append."""

    rows: dict[str, list[AnyRow]] = field(default_factory=dict)
    slabs: Slabs = field(default_factory=dict)
    """Rows that are encoded already, by family."""

    def encoded(self, producer: str, first_sequence: int) -> list[Encoded]:
        """Its records, numbered from `first_sequence` on; raises RecordTooLarge."""
        if not self.slabs:
            return encode(producer, first_sequence, self.rows)
        for family, rows in self.rows.items():
            self.slabs.setdefault(family, []).append(slab_of(rows))
        return encode_slabs(producer, first_sequence, self.slabs)


def shares(
    batch: Iterable[tuple[Mapping[str, Sequence[AnyRow]], Sequence[PackedRows]]], partitions: int
) -> dict[Partition, Share]:
    """Share out the rows of an append, in their order within a family; partitions that get none are left out."""
    found: dict[Partition, Share] = {}
    for rows, packed in batch:
        _share_rows(rows, partitions, found)
        for each in packed:
            for partition, slabs in each.split(partitions).items():
                share = found.setdefault(partition, Share())
                for family, slab in slabs.items():
                    share.slabs.setdefault(family, []).append(slab)
    return found


def _share_rows(rows_by_family: Mapping[str, Sequence[AnyRow]], partitions: int, found: dict[Partition, Share]) -> None:
    for family, rows in rows_by_family.items():
        split: list[list[AnyRow]] = [[] for _ in range(partitions)]
        for row in rows:
            split[partition_of(row.id_hash, partitions)].append(row)
        for number, own in enumerate(split):
            if own:
                found.setdefault(Partition(number), Share()).rows.setdefault(family, []).extend(own)
