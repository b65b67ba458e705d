"""Compiled: all events of a batch, one after another; and its rows, sorted by partition and family."""

from typing import Final

from service.compiled.compiling import compiled
from service.compiled.memory import byte_at, put_byte, put_word, swapped, word_at
from service.ingest.plain.events import row_of
from service.ingest.plain.head import OTHER
from service.ingest.plain.packing import copied
from service.ingest.plain.text import BAD, CLOSE, COMMA, OPEN, QUOTE, past_space

# What is known of an event, eight bytes each, as addresses or sizes.
EVENT, EVENT_BYTES, ROW, ROW_BYTES, FAMILY = range(5)
COLUMNS: Final = 5
PLACE_BYTES: Final = 8 * COLUMNS

_LIST_OPEN: Final = ord("[")
_LIST_CLOSE: Final = ord("]")
_BACKSLASH: Final = ord("\\")
_LONG_ARRAY: Final = 0xDC
_LONGER_ARRAY: Final = 0xDD


@compiled
def rows_of_array(place: int, end: int, desk: int, into: int, places: int, most: int) -> int:
    """Write rows of the events of a JSON array, and what is known of each event; returns how many events there are.

    BAD where the array is none that can be followed: not of objects alone, not closed, or of more than `most`.
    """
    count = 0
    place = past_space(place)
    if byte_at(place) != _LIST_OPEN:
        return BAD
    place = past_space(place + 1)
    while byte_at(place) == OPEN and count < most:
        after, row_end, family = row_of(place, end, False, desk, into)
        if after == BAD:
            after = _object_end(place, end)
        if after == BAD:
            return BAD
        _note(places + count * PLACE_BYTES, place, after, into, row_end, family)
        count, into = count + 1, row_end
        place = past_space(after)
        mark = byte_at(place)
        if mark == _LIST_CLOSE:
            return count if past_space(place + 1) == end else BAD
        if mark != COMMA:
            return BAD
        place = past_space(place + 1)
    return BAD


@compiled
def rows_of_each(count: int, desk: int, into: int, places: int) -> None:
    """Write rows of events that lie each by itself, where `places` say."""
    for _ in range(count):
        begin = word_at(places)
        end = begin + word_at(places + 8 * EVENT_BYTES)
        row_end, family = into, OTHER
        if byte_at(begin) == OPEN:
            _, row_end, family = row_of(begin, end, True, desk, into)
        _note(places, begin, end, into, row_end, family)
        into = row_end
        places += PLACE_BYTES


@compiled
def _note(place: int, begin: int, end: int, row: int, row_end: int, family: int) -> None:
    put_word(place, begin)
    put_word(place + 8 * EVENT_BYTES, end - begin)
    put_word(place + 8 * ROW, row)
    put_word(place + 8 * ROW_BYTES, row_end - row)
    put_word(place + 8 * FAMILY, family)


@compiled
def _object_end(place: int, end: int) -> int:
    """Where an object ends by its brackets and strings alone, or BAD."""
    depth = 0
    while place < end:
        mark = byte_at(place)
        if mark == QUOTE:
            place += 1
            while place < end and byte_at(place) != QUOTE:
                place += 2 if byte_at(place) == _BACKSLASH else 1
        elif mark == OPEN or mark == _LIST_OPEN:
            depth += 1
        elif mark == CLOSE or mark == _LIST_CLOSE:
            depth -= 1
            if depth == 0:
                return place + 1
        place += 1
    return BAD


@compiled
def _partition(row: int, partitions: int) -> int:
    """The partition of a row, by the hash that it begins with (`domain/identity.py`)."""
    first = byte_at(row)
    head = 3 if first == _LONG_ARRAY else 5 if first == _LONGER_ARRAY else 1
    # Behind the two bytes that say how many follow.
    word = swapped(word_at(row + head + 2))
    if word >= 0:
        return word % partitions
    # An unsigned integer in two halves, each of which fits a signed one.
    return (((word >> 32) & 0xFFFFFFFF) % partitions * (0x1_0000_0000 % partitions) + (word & 0xFFFFFFFF)) % partitions


@compiled
def tally(places: int, count: int, partitions: int, families: int, buckets: int, rows: int, sizes: int) -> None:
    """Note each row's bucket, one a partition and family; and of each bucket how many rows it gets, and bytes."""
    for number in range(count):
        place = places + number * PLACE_BYTES
        family = word_at(place + 8 * FAMILY)
        bucket = -1
        if family != OTHER:
            bucket = _partition(word_at(place + 8 * ROW), partitions) * families + family
            put_word(rows + 8 * bucket, word_at(rows + 8 * bucket) + 1)
            put_word(sizes + 8 * bucket, word_at(sizes + 8 * bucket) + word_at(place + 8 * ROW_BYTES))
        put_word(buckets + 8 * number, bucket)


@compiled
def sort(places: int, count: int, buckets: int, numbers: int, ends: int, into: int, sizes: int) -> None:
    """Copy rows into their buckets, in their order, and note how long each is.

    `ends` says of each bucket where in `into` its next row goes, `numbers` how many rows lie before that.
    """
    for number in range(count):
        bucket = word_at(buckets + 8 * number)
        if bucket < 0:
            continue
        place = places + number * PLACE_BYTES
        size, begin, before = word_at(place + 8 * ROW_BYTES), word_at(ends + 8 * bucket), word_at(numbers + 8 * bucket)
        put_word(sizes + 8 * before, size)
        put_word(numbers + 8 * bucket, before + 1)
        put_word(ends + 8 * bucket, begin + size)
        _copied_exactly(into + begin, word_at(place + 8 * ROW), size)


@compiled
def _copied_exactly(place: int, begin: int, length: int) -> None:
    """Bytes as they are, and nothing behind them: another bucket's row may lie there."""
    whole = length & ~7
    copied(place, begin, whole)
    for at in range(whole, length):
        put_byte(place + at, byte_at(begin + at))
