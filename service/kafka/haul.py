"""What a broker answered for one partition, taken apart: runs of records, and what of it cannot be read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
from aiokafka import TopicPartition

from service.compiled.memory import SPARE
from service.domain.reasons import Reason
from service.kafka import batches
from service.kafka.batches import (
    ATTRIBUTES,
    BASE,
    BATCH_CELLS,
    BATCH_HEAD,
    COUNT,
    FORMAT,
    LEAST_BATCH,
    LEAST_RECORD,
    MAGIC,
    NEXT,
    PLACE,
    PRODUCER,
    RECORD_CELLS,
    SIZE,
    SOUND,
    STAMP_MS,
)
from service.kafka.doubts import settle
from service.kafka.old import old_records
from service.kafka.unpacking import CODECS, NotUnpacked, Unpacker

_STAMPED: Final = 0x08
_TRANSACTIONAL: Final = 0x10
_CONTROL: Final = 0x20
"""Bits of a batch's attributes: stamped by the broker when it was appended (LogAppendTime), of a transaction, a marker."""
_INVOLVED: Final = CODECS | _TRANSACTIONAL | _CONTROL
MAX_KEPT_BYTES: Final = 64 * 1024
"""Of a batch that cannot be read."""

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Row = Sequence[int]
"""The cells of a batch."""


@dataclass(frozen=True, slots=True)
class Run:
    """Records that follow one another and were received together."""

    read: Bytes
    """The bytes that their cells are addresses in."""
    cells: Ints
    """Records x RECORD_CELLS."""
    stamp_ms: int | None
    """When the broker appended them; None where it does not say."""
    following: int
    """The offset behind them."""
    size: int
    newest_ms: int
    """The newest time that they have, from whomever; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A batch, or the rest of one, that cannot be read."""

    offset: int
    following: int
    raw: bytes
    """Its first bytes."""
    reason: Reason
    why: str


class Haul:
    """The bytes that were fetched of a partition from an offset on.

    `end` is the offset that the partition's next record gets; `aborted` are transactions by producer and first offset.
    """

    def __init__(self, partition: TopicPartition, offset: int, data: bytes, end: int, aborted: Sequence[tuple[int, int]]) -> None:
        self.partition = partition
        self.offset = offset
        self.size = len(data)
        self._data = np.frombuffer(data + bytes(SPARE), dtype=np.uint8)
        # Room for the most batches that there may be: memory that nothing is written to costs nothing.
        self._table = np.empty((len(data) // LEAST_BATCH + 1, BATCH_CELLS), dtype=np.int64)
        begin = self._data.ctypes.data
        found = batches.batches_in(begin, begin + len(data), self._table.ctypes.data)
        self._table = self._table[:found].copy()
        settle(self._table, offset, end)
        self._aborted = sorted(aborted, key=lambda each: each[1])
        self._aborting: set[int] = set()

    @property
    def following(self) -> int:
        """The offset behind all of it."""
        if not len(self._table):
            return self.offset + (self.size > 0)
        return max(int(self._table[-1, NEXT]), self.offset + (not self._table[-1, SOUND]))

    def parts(self, unpacker: Unpacker) -> Iterator[Run | Unreadable]:
        """Everything in it, in its order; a part without records only moves on."""
        if not self.size:
            return
        if not len(self._table):
            yield self._unreadable(self.offset, self.following, 0, self.size, "holds no whole batch of records")
            return
        plain = (self._table[:, MAGIC] == FORMAT) & (self._table[:, SOUND] == 1) & (self._table[:, ATTRIBUTES] & _INVOLVED == 0)
        stamps = np.where(self._table[:, ATTRIBUTES] & _STAMPED, self._table[:, STAMP_MS].clip(-1), -1)
        kinds = np.where(plain, stamps, -2 - np.arange(len(plain)))
        cuts = [0, *(np.flatnonzero(np.diff(kinds)) + 1).tolist(), len(kinds)]
        for first, last in pairwise(cuts):
            if plain[first]:
                yield from self._plain(first, last)
            else:
                yield from self._involved(self._table[first].tolist(), unpacker)

    def _plain(self, first: int, last: int) -> Iterator[Run | Unreadable]:
        """Batches that are neither packed nor of a transaction, all at once."""
        while first < last:
            rows = self._table[first:last]
            cells = _room(int(rows[:, COUNT].clip(0).sum()), int(rows[:, SIZE].sum()))
            done, found = batches.records_of_several(
                self._data.ctypes.data, rows.ctypes.data, len(rows), self.offset, cells.ctypes.data
            )
            bad = rows[done].tolist() if done < len(rows) else None
            following = max(int(rows[-1, NEXT]) if bad is None else bad[BASE], self.offset)
            size, newest_ms = int(rows[:done, SIZE].sum()), int(rows[:, STAMP_MS].max())
            yield Run(self._data, cells[:found], _stamp_of(rows[0].tolist()), following, size, max(newest_ms, 0))
            if bad is not None:
                read = cells[found - 1, batches.OFFSET] + 1 if found else 0
                yield self._rest(bad, max(following, int(read)), "holds records of another form than it says")
            first += done + 1

    def _involved(self, row: Row, unpacker: Unpacker) -> Iterator[Run | Unreadable]:
        """One batch that is packed, old, damaged, of a transaction, or a marker."""
        if not row[SOUND]:
            why = (
                "is of a newer format than this release reads"
                if row[MAGIC] > FORMAT
                else "has another checksum or place than it says"
            )
            yield self._rest(row, max(row[BASE], self.offset), why)
        elif row[MAGIC] < FORMAT:
            yield from self._old(row, unpacker)
        elif self._is_left_out(row):
            yield Run(self._data, _room(0, 0), None, max(row[NEXT], self.offset), 0, 0)
        else:
            yield from self._packed(row, unpacker)

    def _packed(self, row: Row, unpacker: Unpacker) -> Iterator[Run | Unreadable]:
        codec = row[ATTRIBUTES] & CODECS
        read = self._data[row[PLACE] + BATCH_HEAD : row[PLACE] + row[SIZE]]
        if codec:
            try:
                unpacked = unpacker.unpacked(read.data, codec)
            except NotUnpacked as error:
                yield self._rest(row, max(row[BASE], self.offset), str(error), error.reason)
                return
            read = np.frombuffer(bytes(unpacked) + bytes(SPARE), dtype=np.uint8)[: len(unpacked)]
        cells = _room(row[COUNT], len(read))
        begin = read.ctypes.data
        found, whole = batches.records_of(
            begin, begin + len(read), max(0, row[COUNT]), row[BASE], row[NEXT], self.offset, cells.ctypes.data
        )
        after = int(cells[found - 1, batches.OFFSET]) + 1 if found else max(row[BASE], self.offset)
        following = max(row[NEXT], self.offset) if whole else after
        yield Run(read, cells[:found], _stamp_of(row), following, len(read), max(row[STAMP_MS], 0))
        if not whole:
            yield self._rest(row, after, "holds records of another form than it says")

    def _old(self, row: Row, unpacker: Unpacker) -> Iterator[Run | Unreadable]:
        try:
            read, cells, stamp_ms = old_records(self._bytes_of(row), self.offset, unpacker)
        except NotUnpacked as error:
            yield self._rest(row, self.offset, str(error), error.reason)
            return
        yield Run(read, cells, stamp_ms, max(row[NEXT], self.offset), row[SIZE], stamp_ms or 0)

    def _is_left_out(self, row: Row) -> bool:
        """Whether a batch is a marker, or of a transaction that was aborted (`read_committed`)."""
        while self._aborted and self._aborted[0][1] <= row[BASE]:
            self._aborting.add(self._aborted.pop(0)[0])
        if row[ATTRIBUTES] & _CONTROL:
            # Whatever it says: the next marker behind an aborted record of a producer is that of the abortion.
            self._aborting.discard(row[PRODUCER])
            return True
        return bool(row[ATTRIBUTES] & _TRANSACTIONAL) and row[PRODUCER] in self._aborting

    def _bytes_of(self, row: Row) -> bytes:
        return self._data[row[PLACE] : row[PLACE] + row[SIZE]].tobytes()

    def _rest(self, row: Row, offset: int, why: str, reason: Reason = Reason.MALFORMED) -> Unreadable:
        offset = max(self.offset, min(offset, row[NEXT] - 1))
        return self._unreadable(offset, max(row[NEXT], offset + 1), row[PLACE], row[SIZE], why, reason)

    def _unreadable(
        self, offset: int, following: int, place: int, size: int, why: str, reason: Reason = Reason.MALFORMED
    ) -> Unreadable:
        return Unreadable(offset, following, self._data[place : place + min(size, MAX_KEPT_BYTES)].tobytes(), reason, why)


def _room(records: int, size: int) -> Ints:
    """Cells for so many records, of which no more are believed than have room in `size` bytes."""
    return np.empty((min(max(records, 0), size // LEAST_RECORD + 1), RECORD_CELLS), dtype=np.int64)


def _stamp_of(row: Row) -> int | None:
    return row[STAMP_MS] if row[ATTRIBUTES] & _STAMPED and row[STAMP_MS] >= 0 else None


def prepare() -> None:
    """Have everything compiled: some seconds once an installation, then tenths of one a process."""
    row, cells = np.zeros(BATCH_CELLS, dtype=np.int64), _room(0, 0)
    Haul(TopicPartition("", 0), 0, b"", 0, ())
    batches.records_of(row.ctypes.data, row.ctypes.data, 0, 0, 0, 0, cells.ctypes.data)
    batches.records_of_several(row.ctypes.data, row.ctypes.data, 0, 0, cells.ctypes.data)
