"""Room for scanned rows: many records are read as each by itself, and families of few rows take little memory."""

import mmap
from pathlib import Path

import numpy as np
import polars as pl

from service.aggregate.records.columns import CODE, ROW_TYPES, reading
from service.aggregate.records.room import Room, room_for
from service.aggregate.records.scanned import SAMPLED, scan_records
from tests.aggregate.test_records import record, rows_of, sample

FEW = np.zeros(len(ROW_TYPES), dtype=np.int64)


def resident_bytes() -> int:
    """How much memory this process takes (proc(5), "statm")."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


def test_many_records_are_read_as_each_by_itself() -> None:
    families = list(sample())
    names = [families[number % len(families)] for number in range(3 * SAMPLED)]
    several = [record({name: sample()[name]}, offset) for offset, name in enumerate(names)]
    together = scan_records(several, partitions=1)
    alone = [scan_records([one], partitions=1) for one in several]
    for family in families:
        rows = [row for scanned in alone for row in rows_of(scanned).get(family, [])]
        assert rows_of(together).get(family, []) == rows
    assert together.rejected == [row for scanned in alone for row in scanned.rejected]


def test_room_that_is_used_again_changes_nothing_of_what_is_read_nor_of_what_was() -> None:
    families, room = list(sample()), Room()
    batches = [
        [record({name: sample()[name]}, offset) for name in families[first:] for offset in range(3)] for first in (4, 0, 9)
    ]
    before = []
    for records in batches:
        read = scan_records(records, partitions=1, room=room, reading=reading({}))
        alone = scan_records(records, partitions=1, reading=reading({}))
        assert rows_of(read) == rows_of(alone)
        # Hashes and codes are looked at while a batch is prepared; everything else outlives the next one.
        kept = {family: frame.select(lasting(frame)) for family, frame in read.frames.items()}
        before.append((kept, {family: frame.select(lasting(frame)).clone() for family, frame in alone.frames.items()}))
    for kept, fresh in before:
        assert kept.keys() == fresh.keys()
        assert all(frame.equals(fresh[family]) for family, frame in kept.items())


def lasting(frame: pl.DataFrame) -> list[str]:
    """Columns that do not lie in the room."""
    return [name for name in frame.columns if not name.endswith(CODE) and name not in {"hash_hi", "hash_lo"}]


def test_room_is_made_anew_only_where_a_batch_does_not_fit() -> None:
    room, many = Room(), FEW.copy()
    many[0] = 1
    first = room.take(1_000, many)
    assert room.take(500, many) is first
    assert room.take(1_000, FEW) is first
    assert room.take(1_100, many) is first, "batches of nearly one size share their room"
    assert room.take(1_200, many) is not first
    large = room.take(1_200, many)
    others = FEW.copy()
    others[1] = 1
    assert room.take(1_000, others) is not large


def test_families_of_few_rows_take_little_memory_beside_one_of_many() -> None:
    before = resident_bytes()
    cells = room_for(200_000, FEW)
    cells[:, :, :5] = 1
    assert resident_bytes() - before < 20_000_000 < cells.nbytes // 10


def test_what_the_sample_says_changes_no_shape() -> None:
    for sample_rows in (FEW, FEW + 1, np.arange(len(FEW))):
        for events in (0, 1, 5_000):
            room = room_for(events, sample_rows)
            room[...] = 7
            assert room.shape == room_for(events, FEW).shape
