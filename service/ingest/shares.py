"""Rows of many requests, by the partition that each belongs to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from service.domain.identity import partition_of
from service.domain.ids import Partition
from service.eventlog.codec import AnyRow, Encoded, Slab, encode
from service.eventlog.slabs import encode_slabs, slab_of
from service.ingest.batch import PackedRows


@dataclass(slots=True)
class Share:
    """What one partition gets of an append: by family its rows, in the order in which they came."""

    pieces: dict[str, list[Slab | list[AnyRow]]] = field(default_factory=dict)
    """Rows that are encoded already, and those that are not."""
    has_slabs: bool = False

    def add_rows(self, family: str, rows: Sequence[AnyRow]) -> None:
        """Add rows behind all that are there."""
        pieces = self.pieces.setdefault(family, [])
        if pieces and isinstance(pieces[-1], list):
            pieces[-1].extend(rows)
        else:
            pieces.append(list(rows))

    def add_slab(self, family: str, slab: Slab) -> None:
        """Add encoded rows behind all that are there."""
        self.pieces.setdefault(family, []).append(slab)
        self.has_slabs = True

    def encoded(self, producer: str, first_sequence: int) -> list[Encoded]:
        """Its records, numbered from `first_sequence` on; raises RecordTooLarge."""
        if not self.has_slabs:
            rows = {family: piece for family, pieces in self.pieces.items() for piece in pieces if isinstance(piece, list)}
            return encode(producer, first_sequence, rows)
        slabs = {
            family: [slab_of(piece) if isinstance(piece, list) else piece for piece in pieces]
            for family, pieces in self.pieces.items()
        }
        return encode_slabs(producer, first_sequence, slabs)


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
                    share.add_slab(family, slab)
    return found


def _share_rows(rows_by_family: Mapping[str, Sequence[AnyRow]], partitions: int, found: dict[Partition, Share]) -> None:
    for family, rows in rows_by_family.items():
        split: list[list[AnyRow]] = [[] for _ in range(partitions)]
        for row in rows:
            split[partition_of(row.id_hash, partitions)].append(row)
        for number, own in enumerate(split):
            if own:
                found.setdefault(Partition(number), Share()).add_rows(family, own)
