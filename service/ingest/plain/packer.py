"""The door's side of the compiled loops: bytes of events in, their rows out."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from service.compiled.memory import SPARE
from service.domain.identity import HASH_BYTES
from service.ingest.batch import Limits, Stamp
from service.ingest.plain import desk
from service.ingest.plain.blake2b import keyed_state
from service.ingest.plain.events import ROOM
from service.ingest.plain.head import OTHER
from service.ingest.plain.packed import Bytes, Ints, Packed
from service.ingest.plain.text import BAD
from service.ingest.plain.walk import COLUMNS, EVENT, EVENT_BYTES, FAMILY, rows_of_array, rows_of_each

_LEAST_EVENT = 96
"""Fewer bytes than the shortest plain event has."""


class Packer:
    """Makes rows of plain events: one for a process, for any number of its threads."""

    def __init__(self, key: bytes, limits: Limits) -> None:
        self._keyed = keyed_state(key, HASH_BYTES)
        self._limits = limits
        self._desks: list[npt.NDArray[np.int64]] = []
        """Those that nobody uses; there are as many as threads have been here at once."""
        self._prepare()

    def array(self, body: bytes, stamp: Stamp) -> Packed | None:
        """Rows of the events of a JSON array; None for one that is empty, too long, or not of objects alone."""
        read = np.frombuffer(body + bytes(SPARE), dtype=np.uint8)
        most = min(self._limits.max_request_events, len(body) // 2)
        written = _room(len(body), min(most, len(body) // _LEAST_EVENT + 1))
        places = np.empty((most, COLUMNS), dtype=np.int64)
        begin, cells = read.ctypes.data, self._desk(stamp, written)
        count = rows_of_array(begin, begin + len(body), cells.ctypes.data, written.ctypes.data, places.ctypes.data, most)
        self._desks.append(cells)
        return None if count == BAD else Packed(places[:count], read, written)

    def each(self, raws: Sequence[bytes], stamp: Stamp) -> Packed:
        """Rows of events that came each by itself."""
        read = np.frombuffer(b"".join(raws) + bytes(SPARE), dtype=np.uint8)
        sizes = np.fromiter(map(len, raws), dtype=np.int64, count=len(raws))
        return self.spans(read, read.ctypes.data + np.cumsum(sizes) - sizes, sizes, stamp)

    def spans(self, read: Bytes, begins: Ints, sizes: Ints, stamp: Stamp) -> Packed:
        """Rows of events that lie each by itself in these bytes, which SPARE zeros follow; `begins` are addresses."""
        places = np.empty((len(begins), COLUMNS), dtype=np.int64)
        places[:, EVENT] = begins
        places[:, EVENT_BYTES] = sizes
        places[:, FAMILY] = OTHER
        written = _room(int(sizes.sum()), len(begins))
        cells = self._desk(stamp, written)
        rows_of_each(len(begins), cells.ctypes.data, written.ctypes.data, places.ctypes.data)
        self._desks.append(cells)
        return Packed(places, read, written)

    def _prepare(self) -> None:
        """Have everything compiled: some seconds once an installation, then tenths of one a process."""
        stamp = Stamp(0, 0, backfill=False)
        self.array(b"[]", stamp)
        self.each([b"{}"], stamp).split(1)

    def _desk(self, stamp: Stamp, written: Bytes) -> npt.NDArray[np.int64]:
        try:
            cells = self._desks.pop()
        except IndexError:
            cells = np.zeros(desk.DESK_BYTES // 8, dtype=np.int64)
        cells[desk.TENANT // 8] = stamp.tenant
        cells[desk.RECEIVED_US // 8] = stamp.received_us
        cells[desk.BACKFILL // 8] = stamp.backfill
        cells[desk.OLDEST_US // 8] = stamp.received_us - self._limits.max_lateness_us
        cells[desk.NEWEST_US // 8] = stamp.received_us + self._limits.max_skew_us
        cells[desk.KEYED // 8] = self._keyed.ctypes.data
        cells[desk.MAX_BYTES // 8] = self._limits.max_event_bytes
        cells[desk.ROOM_END // 8] = written.ctypes.data + len(written)
        return cells


def compile_all() -> None:
    """Have everything compiled, and kept for those who take events in."""
    Packer(bytes(HASH_BYTES), Limits(1, 1, 1, 0, 0))


def _room(size: int, events: int) -> Bytes:
    """Room for the rows of so many events, where none keeps its bytes; those for which it does not suffice are not plain."""
    return np.empty(2 * size + ROOM * (events + 1), dtype=np.uint8)
