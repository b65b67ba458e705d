"""Compiled writing of MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md), byte for byte as msgspec writes it.

Each function writes a value at an address and returns where the next one goes; up to 16 bytes behind it may be written over.
"""

from typing import Final

from service.compiled.compiling import compiled
from service.compiled.memory import put_byte, put_word, swapped, word_at

NIL: Final = 0xC0
NO: Final = 0xC2
YES: Final = 0xC3
_BYTES: Final = 0xC4
_UNSIGNED: Final = 0xCC
_ARRAY: Final = 0xDC
_MAP: Final = 0x80
_TEXT: Final = 0xA0
_LONG_TEXT: Final = 0xD9


@compiled
def put_big_endian(place: int, value: int, size: int) -> int:
    """An integer in `size` bytes."""
    put_word(place, swapped(value << (64 - (size << 3))))
    return place + size


@compiled
def put_integer(place: int, value: int) -> int:
    """An integer that is not negative."""
    if value < 0x80:
        put_byte(place, value)
        return place + 1
    if value < 0x1_00:
        put_byte(place, _UNSIGNED)
        return put_big_endian(place + 1, value, 1)
    if value < 0x1_0000:
        put_byte(place, _UNSIGNED + 1)
        return put_big_endian(place + 1, value, 2)
    if value < 0x1_0000_0000:
        put_byte(place, _UNSIGNED + 2)
        return put_big_endian(place + 1, value, 4)
    put_byte(place, _UNSIGNED + 3)
    return put_big_endian(place + 1, value, 8)


@compiled
def put_one(place: int, first_byte: int) -> int:
    """A value that is nothing but its first byte."""
    put_byte(place, first_byte)
    return place + 1


@compiled
def put_flag(place: int, value: bool) -> int:
    """True or false."""
    put_byte(place, YES if value else NO)
    return place + 1


@compiled
def copied(place: int, begin: int, length: int) -> int:
    """Bytes as they are, word by word."""
    for at in range(0, length, 8):
        put_word(place + at, word_at(begin + at))
    return place + length


@compiled
def put_text(place: int, begin: int, length: int) -> int:
    """A text of less than 64 KB."""
    if length < 32:
        put_byte(place, _TEXT | length)
        return copied(place + 1, begin, length)
    if length < 0x1_00:
        put_byte(place, _LONG_TEXT)
        return copied(put_big_endian(place + 1, length, 1), begin, length)
    put_byte(place, _LONG_TEXT + 1)
    return copied(put_big_endian(place + 1, length, 2), begin, length)


@compiled
def put_bytes(place: int, begin: int, length: int) -> int:
    """Bytes, however many."""
    if length < 0x1_00:
        put_byte(place, _BYTES)
        return copied(put_big_endian(place + 1, length, 1), begin, length)
    if length < 0x1_0000:
        put_byte(place, _BYTES + 1)
        return copied(put_big_endian(place + 1, length, 2), begin, length)
    put_byte(place, _BYTES + 2)
    return copied(put_big_endian(place + 1, length, 4), begin, length)


@compiled
def put_row(place: int, fields: int) -> int:
    """The beginning of a row of 16 fields or more."""
    put_byte(place, _ARRAY)
    return put_big_endian(place + 1, fields, 2)


@compiled
def put_map(place: int, entries: int) -> int:
    """The beginning of a map of at most 15 entries."""
    put_byte(place, _MAP | entries)
    return place + 1
