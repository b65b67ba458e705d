"""The rows of a batch as they lie in a record, in the order of its events; and their way into partitions."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from service.compiled.memory import SPARE
from service.domain.ids import Partition
from service.eventlog.codec import FAMILIES, AnyRow, Slab
from service.ingest.plain.head import OTHER
from service.ingest.plain.walk import EVENT, EVENT_BYTES, FAMILY, ROW, sort, tally

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

_ENCODER = msgspec.msgpack.Encoder()


class Packed:
    """Rows of plain events; rows of the others are put in their places when they have been made.

    `places` are addresses in `read` (the events' bytes) and in `written` (the rows), which live as long as this does.
    """

    def __init__(self, places: Ints, read: Bytes, written: Bytes) -> None:
        self._places = places
        self._read = read
        self._kept: list[Bytes] = [written]

    @property
    def events(self) -> int:
        """How many events have a row."""
        return int(np.count_nonzero(self._places[:, FAMILY] != OTHER))

    def others(self) -> list[int]:
        """The places of events that have no row yet."""
        numbers: list[int] = np.flatnonzero(self._places[:, FAMILY] == OTHER).tolist()
        return numbers

    def event(self, number: int) -> bytes:
        """The bytes of an event."""
        begin = int(self._places[number, EVENT]) - self._read.ctypes.data
        return self._read[begin : begin + int(self._places[number, EVENT_BYTES])].tobytes()

    def put(self, rows: Sequence[tuple[int, str, AnyRow]]) -> None:
        """Put rows in the places of events that have none; each comes with its place and its family."""
        if not rows:
            return
        encoded = [_ENCODER.encode(row) for _, _, row in rows]
        written = np.frombuffer(b"".join(encoded) + bytes(SPARE), dtype=np.uint8)
        self._kept.append(written)
        begin = written.ctypes.data
        for (number, family, _), row in zip(rows, encoded, strict=True):
            self._places[number, ROW : FAMILY + 1] = begin, len(row), FAMILIES.index(family)
            begin += len(row)

    def split(self, partitions: int) -> Mapping[Partition, Mapping[str, Slab]]:
        """The rows by partition and family, in their order."""
        count, families = len(self._places), len(FAMILIES)
        rows, sizes = np.zeros((2, partitions * families), dtype=np.int64)
        buckets = np.empty(count, dtype=np.int64)
        places = _at(self._places)
        tally(places, count, partitions, families, _at(buckets), _at(rows), _at(sizes))
        ends, numbers = np.cumsum(sizes), np.cumsum(rows)
        sorted_rows = np.empty(int(ends[-1]), dtype=np.uint8)
        lengths = np.empty(int(numbers[-1]), dtype=np.int64)
        # Where each bucket begins; when all are in, where it ends.
        begins, firsts = ends - sizes, numbers - rows
        sort(places, count, _at(buckets), _at(firsts), _at(begins), _at(sorted_rows), _at(lengths))
        data, sizes_in_order = sorted_rows.tobytes(), lengths.data
        found: dict[Partition, dict[str, Slab]] = {}
        for bucket in np.flatnonzero(rows).tolist():
            partition, family = divmod(bucket, families)
            end, last = int(ends[bucket]), int(numbers[bucket])
            slab = Slab(data[end - int(sizes[bucket]) : end], sizes_in_order[last - int(rows[bucket]) : last])
            found.setdefault(Partition(partition), {})[FAMILIES[family]] = slab
        return found


def _at(array: npt.NDArray[Any]) -> int:
    """Where an array's values begin."""
    return array.ctypes.data
