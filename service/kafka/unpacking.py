"""Compressed batches of records, unpacked up to a limit (Kafka's codecs: gzip, snappy, lz4, zstd)."""

import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final

import cramjam
import numpy as np

from service.domain.reasons import Reason

_GZIP: Final = 1
_SNAPPY: Final = 2
_LZ4: Final = 3
_ZSTD: Final = 4
CODECS: Final = 0x07
"""The bits of a batch's attributes that name its codec; 0: it is not compressed."""
_XERIAL: Final = b"\x82SNAPPY\x00"
"""What a stream of snappy blocks begins with, each behind its length (github.com/xerial/snappy-java)."""
_XERIAL_HEAD: Final = 16
_GZIP_FORM: Final = zlib.MAX_WBITS | 16
_FULL: Final = "failed to write whole buffer"
"""What is said where the room does not suffice."""


class NotUnpacked(Exception):
    """These bytes cannot be unpacked: they are damaged, of a codec that is not known, or too many come of them."""

    def __init__(self, detail: str, reason: Reason = Reason.MALFORMED) -> None:
        super().__init__(detail)
        self.reason = reason


class Unpacker:
    """Unpacks batches; what it gives back holds until the next one."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._room = np.empty(0, dtype=np.uint8)

    def unpacked(self, packed: memoryview, codec: int) -> memoryview:
        """The bytes of a batch's records; raises NotUnpacked."""
        try:
            if codec == _GZIP:
                return self._gzip(packed)
            if codec == _SNAPPY:
                return self._snappy(packed)
            if codec in {_LZ4, _ZSTD}:
                return self._into_room(cramjam.lz4 if codec == _LZ4 else cramjam.zstd, packed)
        except (cramjam.DecompressionError, zlib.error, struct.error, ValueError) as error:
            raise NotUnpacked(f"cannot be unpacked: {str(error)[:200]}") from None
        raise NotUnpacked(f"is packed by codec {codec}, which is none of gzip, snappy, lz4 and zstd")

    def _gzip(self, packed: memoryview) -> memoryview:
        unpacking = zlib.decompressobj(_GZIP_FORM)
        found = unpacking.decompress(packed, self._max_bytes + 1)
        if len(found) > self._max_bytes:
            raise self._too_large()
        if not unpacking.eof:
            raise NotUnpacked("cannot be unpacked: it ends too early")
        return memoryview(found)

    def _snappy(self, packed: memoryview) -> memoryview:
        pieces, size = [], 0
        for block in _snappy_blocks(packed):
            size += cramjam.snappy.decompress_raw_len(block)
            if size > self._max_bytes:
                raise self._too_large()
            pieces.append(bytes(cramjam.snappy.decompress_raw(block)))
        return memoryview(b"".join(pieces))

    def _into_room(self, form: Any, packed: memoryview) -> memoryview:
        if len(self._room) != self._max_bytes + 1:
            self._room = np.empty(self._max_bytes + 1, dtype=np.uint8)  # pages that are never written take no memory
        try:
            size: int = form.decompress_into(packed, self._room)
        except cramjam.DecompressionError as error:
            if _FULL in str(error):
                raise self._too_large() from None
            raise
        if size > self._max_bytes:
            raise self._too_large()
        return self._room.data[:size]

    def _too_large(self) -> NotUnpacked:
        way_out = "send smaller batches, or raise TIDEGAUGE_KAFKA_SOURCE_MAX_UNPACKED_BYTES"
        return NotUnpacked(f"unpacks to more than {self._max_bytes:,} bytes; {way_out}", Reason.TOO_LARGE)


def _snappy_blocks(packed: memoryview) -> Iterator[memoryview]:
    if bytes(packed[: len(_XERIAL)]) != _XERIAL:
        yield packed
        return
    place = _XERIAL_HEAD
    while place < len(packed):
        (size,) = struct.unpack_from(">i", packed, place)
        place += 4
        if not 0 <= size <= len(packed) - place:
            raise NotUnpacked("cannot be unpacked: a block reaches past its end")
        yield packed[place : place + size]
        place += size
