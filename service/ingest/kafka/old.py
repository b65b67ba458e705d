"""Messages of the formats before Kafka 0.11, which have no headers: read by the client's own reader."""

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from aiokafka.record.memory_records import MemoryRecords

from service.compiled.memory import SPARE
from service.ingest.kafka.batches import HEADERS, HEADERS_END, OFFSET, RECORD_CELLS, VALUE, VALUE_BYTES
from service.ingest.kafka.unpacking import CODECS, NotUnpacked, Unpacker

_STAMPED = 1
_OFFSET = struct.Struct(">q")
_SIZE = struct.Struct(">i")
_ATTRIBUTES_AT = 17
_KEY_AT = (18, 26)
"""Where the size of a message's key stands, by its format: the later one has a timestamp before it."""


def old_records(data: bytes, wanted: int, unpacker: Unpacker) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], int | None]:
    """Values of a message, or of those packed in it, from an offset on; their records' cells; when the broker stamped them.

    Raises NotUnpacked.
    """
    try:
        batch = MemoryRecords(data).next_batch()
        sound = batch.validate_crc()
        if sound and (codec := data[_ATTRIBUTES_AT] & CODECS):
            # The client's reader knows no limit: it comes after one that does.
            unpacker.unpacked(_packed_in(data), codec)
        every = list(batch) if sound else []
    except NotUnpacked:
        raise
    except Exception as error:
        # Whatever it is, these bytes cannot be read, and those behind them can.
        raise NotUnpacked(f"cannot be unpacked: {str(error) or type(error).__name__}") from error
    if not sound:
        raise NotUnpacked("has another checksum than it says")
    offsets = [-1, *(each.offset for each in every)]
    if offsets[-1] > _OFFSET.unpack_from(data)[0] or any(after <= before for before, after in pairwise(offsets)):
        # What is committed follows them.
        raise NotUnpacked("holds messages of other offsets than it says")
    records = [each for each in every if each.offset >= wanted]
    values = [each.value for each in records]
    read = np.frombuffer(b"".join(value or b"" for value in values) + bytes(1 + SPARE), dtype=np.uint8)
    cells = np.zeros((len(records), RECORD_CELLS), dtype=np.int64)
    sizes = np.array([len(value or b"") for value in values], dtype=np.int64)
    cells[:, VALUE] = read.ctypes.data + np.cumsum(sizes) - sizes
    cells[:, VALUE_BYTES] = [-1 if value is None else len(value) for value in values]
    cells[:, OFFSET] = [each.offset for each in records]
    # No headers: as of a record whose number of headers is the zero behind all values.
    cells[:, HEADERS] = read.ctypes.data + int(sizes.sum())
    cells[:, HEADERS_END] = cells[:, HEADERS] + 1
    return read, cells, _stamp_of(records)


def _packed_in(data: bytes) -> memoryview:
    """The value of a message; raises NotUnpacked or struct.error where it is not all there."""
    place = _KEY_AT[data[_ATTRIBUTES_AT - 1]]
    place += _SIZE.size + max(_SIZE.unpack_from(data, place)[0], 0)
    size = _SIZE.unpack_from(data, place)[0]
    place += _SIZE.size
    if not 0 <= size <= len(data) - place:
        raise NotUnpacked("cannot be unpacked: it holds less than it says")
    return memoryview(data)[place : place + size]


def _stamp_of(records: Sequence[Any]) -> int | None:
    stamps = (each.timestamp for each in records if each.timestamp_type == _STAMPED and each.timestamp >= 0)
    return max(stamps, default=None)
