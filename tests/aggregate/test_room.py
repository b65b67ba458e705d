"""Room for scanned rows: many records are read as each by itself, and families of few rows take little memory."""

import mmap
from pathlib import Path

import numpy as np

from service.aggregate.records.columns import ROW_TYPES
from service.aggregate.records.room import room_for
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
