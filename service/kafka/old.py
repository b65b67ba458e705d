"""Messages of the formats before Kafka 0.11, which have no headers.

Message sets: kafka.apache.org/documentation, "Message Format", "Old Message Format". Kafka's client is of no help here: its
compiled reader follows sizes without looking at where the bytes end.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from service.compiled.memory import SPARE
from service.kafka.batches import HEADERS, HEADERS_END, OFFSET, RECORD_CELLS, VALUE, VALUE_BYTES
from service.kafka.unpacking import CODECS, NotUnpacked, Unpacker

_STAMPED: Final = 0x08
_HEAD: Final = struct.Struct(">qiIBB")
_STAMP: Final = struct.Struct(">q")
_SIZE: Final = struct.Struct(">i")
_SIZE_END: Final = 12
_CRC_END: Final = 16


@dataclass(frozen=True, slots=True)
class _Message:
    offset: int
    attributes: int
    stamp_ms: int
    """-1 where the format has none."""
    value: memoryview | None


def old_records(data: bytes, wanted: int, unpacker: Unpacker) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], int | None]:
    """Values of a message, or of those packed in it, from an offset on; their records' cells; when the broker stamped them.

    Raises NotUnpacked.
    """
    if crc32(data[_CRC_END:]) != int.from_bytes(data[_SIZE_END:_CRC_END], "big"):
        raise NotUnpacked("has another checksum than it says")
    try:
        [outer] = _messages(memoryview(data))
        found = _inside(outer, unpacker) if outer.attributes & CODECS else [(outer.offset, outer.value)]
    except struct.error:
        raise NotUnpacked("cannot be unpacked: it ends too early") from None
    offsets = [-1, *(offset for offset, _ in found)]
    if offsets[-1] > outer.offset or any(after <= before for before, after in pairwise(offsets)):
        # What is committed follows them.
        raise NotUnpacked("holds messages of other offsets than it says")
    records = [(offset, value) for offset, value in found if offset >= wanted]
    read = np.frombuffer(b"".join(value or b"" for _, value in records) + bytes(1 + SPARE), dtype=np.uint8)
    cells = np.zeros((len(records), RECORD_CELLS), dtype=np.int64)
    sizes = np.array([len(value or b"") for _, value in records], dtype=np.int64)
    cells[:, VALUE] = read.ctypes.data + np.cumsum(sizes) - sizes
    cells[:, VALUE_BYTES] = [-1 if value is None else len(value) for _, value in records]
    cells[:, OFFSET] = [offset for offset, _ in records]
    # No headers: as of a record whose number of headers is the zero behind all values.
    cells[:, HEADERS] = read.ctypes.data + int(sizes.sum())
    cells[:, HEADERS_END] = cells[:, HEADERS] + 1
    return read, cells, outer.stamp_ms if outer.attributes & _STAMPED and outer.stamp_ms >= 0 else None


def _inside(outer: _Message, unpacker: Unpacker) -> list[tuple[int, memoryview | None]]:
    """Offsets and values of what is packed in a message; raises NotUnpacked, and struct.error where it ends too early."""
    unpacked = unpacker.unpacked(outer.value or memoryview(b""), outer.attributes & CODECS)
    messages = list(_messages(memoryview(bytes(unpacked))))
    if any(each.attributes & CODECS for each in messages):
        raise NotUnpacked("cannot be unpacked: it is packed twice")
    # With timestamps came offsets that count from the first message; the outer one has the last one's.
    ahead = outer.offset - messages[-1].offset if messages else 0
    return [(each.offset + ahead, each.value) for each in messages]


def _messages(data: memoryview) -> Iterator[_Message]:
    """Messages that follow one another; raises NotUnpacked, and struct.error where they end too early."""
    place = 0
    while place < len(data):
        offset, size, _, magic, attributes = _HEAD.unpack_from(data, place)
        end = place + _SIZE_END + size
        if magic > 1 or not place + _HEAD.size <= end <= len(data):
            raise NotUnpacked("cannot be unpacked: it holds something else than messages")
        inside, place, stamp_ms = data[place + _HEAD.size : end], end, -1
        if magic:
            stamp_ms, inside = _STAMP.unpack_from(inside)[0], inside[_STAMP.size :]
        _, inside = _piece(inside)
        value, _ = _piece(inside)
        yield _Message(offset, attributes, stamp_ms, value)


def _piece(data: memoryview) -> tuple[memoryview | None, memoryview]:
    """A key or a value behind its size, None for none; and what follows it."""
    size: int = _SIZE.unpack_from(data)[0]
    if not -1 <= size <= len(data) - _SIZE.size:
        raise NotUnpacked("cannot be unpacked: it holds less than it says")
    end = _SIZE.size + max(size, 0)
    return (None if size < 0 else data[_SIZE.size : end]), data[end:]
