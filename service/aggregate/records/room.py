"""Where the fields of scanned rows are put: memory in large pages for families of many rows, in small ones for the others."""

import mmap
from typing import Final

import numpy as np
import numpy.typing as npt

from service.aggregate.records import fields
from service.aggregate.records.columns import LAYOUT

Ints = npt.NDArray[np.int64]

MANY: Final = 8
"""A family has many rows from one in so many of all events on."""
SPARE_SHARE: Final = 8
"""Room is made for one in so many events more than are asked for: what is never written to takes no memory."""
_ITEM_BYTES: Final = np.dtype(np.int64).itemsize


def room_for(events: int, sample: Ints) -> Ints:
    """Fields of all families x CELLS x events, of which only pages that are written to take memory.

    Each family could have all the events, and most have few. `sample` is how many rows of each family some of the records
    have; it decides about speed alone. (Measured, five rows of each family beside 150,000 of one: all in pages of 2 MB,
    which numpy asks for, takes 470 MB and ten times the CPU; all in small pages a fifth more CPU.)
    """
    shape = (len(LAYOUT.kinds), fields.CELLS, events)
    # Private: large pages of shared memory are a setting of their own.
    memory = mmap.mmap(-1, max(1, int(np.prod(shape))) * _ITEM_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        for family in _many(sample):
            begin, end = (LAYOUT.first[family : family + 2] * fields.CELLS * events * _ITEM_BYTES).tolist()
            begin += -begin % mmap.PAGESIZE
            if end > begin:
                memory.madvise(mmap.MADV_HUGEPAGE, begin, end - begin)
    return np.frombuffer(memory, dtype=np.int64, count=int(np.prod(shape))).reshape(shape)


def _many(sample: Ints) -> list[int]:
    """Families of many rows."""
    families: list[int] = np.flatnonzero((sample > 0) & (sample * MANY >= sample.sum())).tolist()
    return families


class Room:
    """Room that is used again by batch after batch: pages that were written to once are not made and zeroed anew."""

    def __init__(self) -> None:
        self._held: Ints | None = None
        self._large: frozenset[int] = frozenset()

    def take(self, events: int, sample: Ints) -> Ints:
        """Fields of all families x CELLS x at least so many events; whatever was in it is written over.

        Made anew where a batch is larger, or where families have many rows that had few: so it takes no more memory than
        one batch does, whatever families come one after another. Batches of a backlog are of nearly one size, and each that
        is the largest so far would have 60 MB zeroed anew: so there is room for some more than were asked for.
        """
        large = frozenset(_many(sample))
        if self._held is None or self._held.shape[2] < events or not large <= self._large:
            self._held = None  # before the next one is made
            self._held, self._large = room_for(events + events // SPARE_SHARE, sample), large
        return self._held
