"""Compiled: where batches of records lie in what a broker answered, and the records in them, without an object for each.

Record batches and records of message format 2: kafka.apache.org/documentation, "Message Format". Lengths are held against the
end of what they lie in; nothing else is trusted.
"""

from typing import Final

import numpy as np

from service.compiled.compiling import compiled
from service.compiled.memory import byte_at, put_word, swapped, word_at
from service.domain.families.envelope import STRUCTURED
from service.kafka.crc import crc32c

# What is known of a batch: its place in the answer and its size, its first offset and the one behind its last, and so on.
PLACE, SIZE, BASE, NEXT, MAGIC, ATTRIBUTES, PRODUCER, STAMP_MS, COUNT, SOUND = range(10)
BATCH_CELLS: Final = 10
# What is known of a record: the address of its value, its size (-1: there is none), its offset, and so on.
VALUE, VALUE_BYTES, OFFSET, PLAIN, HEADERS, HEADERS_END = range(6)
RECORD_CELLS: Final = 6

BATCH_HEAD: Final = 61
"""Bytes of a batch before its records."""
LEAST_BATCH: Final = 26
"""Fewer bytes than any batch has, whatever its format."""
LEAST_RECORD: Final = 7
FORMAT: Final = 2
"""The message format ("magic") since Kafka 0.11."""
_BEFORE_SIZE: Final = 12
_CRC_END: Final = 21
_BITS: Final = 64
_OBJECT: Final = ord("{")
_PLAIN_HEADERS: Final = b"\x02\x18content-type" + bytes((2 * len(STRUCTURED),)) + STRUCTURED.encode()
"""The headers of a structured record as most producers send them, as they lie in it."""
_PLAIN_BYTES: Final = np.frombuffer(_PLAIN_HEADERS, dtype=np.uint8)


@compiled
def _integer(place: int, size: int) -> int:
    """A big-endian integer of so many bytes."""
    return swapped(word_at(place)) >> (64 - 8 * size)


@compiled
def batches_in(begin: int, end: int, table: int) -> int:
    """Note the batches that lie whole between these addresses, and whether they are sound; returns how many there are."""
    count, place = 0, begin
    while place + LEAST_BATCH <= end:
        size = _integer(place + 8, 4) + _BEFORE_SIZE
        if size < LEAST_BATCH or place + size > end:
            break
        row = table + count * BATCH_CELLS * 8
        base, magic = _integer(place, 8), byte_at(place + 16)
        put_word(row + 8 * PLACE, place - begin)
        put_word(row + 8 * SIZE, size)
        put_word(row + 8 * BASE, base)
        put_word(row + 8 * NEXT, base + 1)
        put_word(row + 8 * MAGIC, magic)
        for cell in (ATTRIBUTES, PRODUCER, STAMP_MS, COUNT, SOUND):
            put_word(row + 8 * cell, 0)
        if magic < FORMAT:
            put_word(row + 8 * SOUND, 1)
        elif magic == FORMAT and size >= BATCH_HEAD:
            put_word(row + 8 * ATTRIBUTES, _integer(place + 21, 2))
            put_word(row + 8 * NEXT, base + max(0, _integer(place + 23, 4)) + 1)
            put_word(row + 8 * STAMP_MS, _integer(place + 35, 8))
            put_word(row + 8 * PRODUCER, _integer(place + 43, 8))
            put_word(row + 8 * COUNT, _integer(place + 57, 4))
            wanted = _integer(place + 17, 4) & 0xFFFFFFFF
            put_word(row + 8 * SOUND, 1 if crc32c(place + _CRC_END, size - _CRC_END) == wanted else 0)
        count, place = count + 1, place + size
    return count


@compiled
def _varint(place: int) -> tuple[int, int]:
    """An integer of variable length, and where what follows it begins."""
    value, shift, byte = 0, 0, 0x80
    while byte & 0x80 and shift < _BITS:
        byte = byte_at(place)
        value |= (byte & 0x7F) << shift
        shift += 7
        place += 1
    return (value >> 1 & 0x7FFFFFFFFFFFFFFF) ^ -(value & 1), place


@compiled
def records_of(begin: int, end: int, count: int, base: int, behind: int, wanted: int, into: int) -> tuple[int, bool]:
    """Note the records of a batch whose offsets are `wanted` or more; how many, and whether that is all of them.

    Not all: from there on they are not of this form, or the batch does not hold what it says. Offsets grow, and stay from
    `base` on and before `behind`: what is committed follows them.
    """
    found, place, before = 0, begin, -1
    for _ in range(count):
        if place + LEAST_RECORD > end:
            return found, False
        length, place = _varint(place)
        # Lengths are held against what is left: added to a place, a large one would come out below it.
        if length < LEAST_RECORD - 1 or length > end - place:
            return found, False
        after = place + length
        _, place = _varint(place + 1)
        delta, place = _varint(place)
        if delta <= before or delta >= behind - base:
            return found, False
        before = delta
        size, place = _varint(place)
        if size < -1 or max(size, 0) >= after - place:
            return found, False
        size, place = _varint(place + max(size, 0))
        if size < -1 or max(size, 0) >= after - place:
            return found, False
        headers = place + max(size, 0)
        if base + delta >= wanted:
            row = into + found * RECORD_CELLS * 8
            put_word(row + 8 * VALUE, place)
            put_word(row + 8 * VALUE_BYTES, size)
            put_word(row + 8 * OFFSET, base + delta)
            plain = size > 0 and byte_at(place) == _OBJECT and _are_plain(headers, after)
            put_word(row + 8 * PLAIN, 1 if plain else 0)
            put_word(row + 8 * HEADERS, headers)
            put_word(row + 8 * HEADERS_END, after)
            found += 1
        place = after
    return found, place == end


@compiled
def records_of_several(data: int, table: int, batches: int, wanted: int, into: int) -> tuple[int, int]:
    """Note the records of batches that are not compressed; how many batches are read to their end, and how many records.

    Records of the batch that is not are among them.
    """
    found = 0
    for number in range(batches):
        row = table + number * BATCH_CELLS * 8
        begin = data + word_at(row + 8 * PLACE)
        base, behind, count = word_at(row + 8 * BASE), word_at(row + 8 * NEXT), word_at(row + 8 * COUNT)
        place = into + found * RECORD_CELLS * 8
        end = begin + word_at(row + 8 * SIZE)
        more, all_of_them = records_of(begin + BATCH_HEAD, end, count, base, behind, wanted, place)
        found += more
        if not all_of_them:
            return number, found
    return batches, found


@compiled
def _are_plain(place: int, end: int) -> bool:
    """Whether a record has no headers, or those that most structured ones have."""
    if place + 1 == end:
        return byte_at(place) == 0
    if end - place != len(_PLAIN_BYTES):
        return False
    differs = 0
    for at in range(len(_PLAIN_BYTES)):
        differs |= byte_at(place + at) ^ _PLAIN_BYTES[at]
    return differs == 0
