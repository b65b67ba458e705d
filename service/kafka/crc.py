"""Compiled CRC-32C (RFC 3720, appendix B.4), eight bytes a step: what a batch of records is checked with."""

from typing import Final

import numpy as np
import numpy.typing as npt

from service.compiled.compiling import compiled
from service.compiled.memory import byte_at, word_at

_POLYNOMIAL: Final = 0x82F63B78
_ALL: Final = 0xFFFFFFFF


def _tables() -> npt.NDArray[np.int64]:
    """What a byte comes to, when 0 to 7 others follow it in the same step."""
    tables = np.zeros(8 * 256, dtype=np.int64)
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        tables[byte] = crc
    for at in range(256, len(tables)):
        before = int(tables[at - 256])
        tables[at] = before >> 8 ^ int(tables[before & 0xFF])
    return tables


_TABLES: Final = _tables()


@compiled
def crc32c(place: int, size: int) -> int:
    """The checksum of so many bytes."""
    crc, end = _ALL, place + size
    while place + 8 <= end:
        word = word_at(place)
        low, high = (word ^ crc) & _ALL, word >> 32 & _ALL
        crc = _TABLES[1792 + (low & 0xFF)] ^ _TABLES[1536 + (low >> 8 & 0xFF)] ^ _TABLES[1280 + (low >> 16 & 0xFF)]
        crc ^= _TABLES[1024 + (low >> 24)] ^ _TABLES[768 + (high & 0xFF)] ^ _TABLES[512 + (high >> 8 & 0xFF)]
        crc ^= _TABLES[256 + (high >> 16 & 0xFF)] ^ _TABLES[high >> 24]
        place += 8
    while place < end:
        crc = crc >> 8 ^ _TABLES[(crc ^ byte_at(place)) & 0xFF]
        place += 1
    return crc ^ _ALL
