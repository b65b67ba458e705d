"""Messages of the formats before Kafka 0.11, which have no headers: read by the client's own reader."""

import numpy as np
import numpy.typing as npt
from aiokafka.record.memory_records import MemoryRecords

from service.compiled.memory import SPARE
from service.ingest.kafka.batches import HEADERS, HEADERS_END, OFFSET, RECORD_CELLS, VALUE, VALUE_BYTES
from service.ingest.kafka.unpacking import NotUnpacked

_STAMPED = 1


def old_records(data: bytes, wanted: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], int | None]:
    """Values of a message, or of those packed in it, from an offset on; their records' cells; when the broker stamped them.

    Raises NotUnpacked.
    """
    try:
        batch = MemoryRecords(data).next_batch()
        records = [each for each in batch if each.offset >= wanted] if batch.validate_crc() else None
    except Exception as error:
        # Whatever it is, these bytes cannot be read, and those behind them can.
        raise NotUnpacked(f"cannot be unpacked: {str(error) or type(error).__name__}") from error
    if records is None:
        raise NotUnpacked("has another checksum than it says")
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
    return read, cells, max((each.timestamp for each in records if each.timestamp_type == _STAMPED), default=None)
