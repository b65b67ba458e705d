"""Compiled: the fields of many rows, read from where they begin into their cells."""

from typing import Final

import numpy as np
import numpy.typing as npt

from service.aggregate.records import msgpack
from service.aggregate.records.compiling import compiled
from service.aggregate.records.dictionary import Dictionary, codes_of
from service.aggregate.records.msgpack import (
    ARRAY,
    BINARY,
    BYTES_8,
    FALSE,
    FORMS,
    MAP,
    NIL,
    SHORT_TEXT,
    SHORT_TEXTS,
    SPARE,
    TRUE,
    WORD,
    Words,
    byte_at,
    integer_at,
    length_at,
    past,
    word_at,
)
from service.domain.identity import HASH_BYTES

Ints = npt.NDArray[np.int64]

# What a field is, and what its cells hold.
HASH: Final = 0  # its two halves, big-endian
TEXT: Final = 1  # the text's code; "" is 0
ID: Final = 2  # a text that is hardly ever the same twice: where it begins, and how long it is
RAW: Final = 3  # bytes or nil: where they begin, and how many they are, -1 for nil
INTEGER: Final = 4
OPTIONAL_INTEGER: Final = 5  # the integer, and whether there is one
FLAG: Final = 6
OPTIONAL_FLAG: Final = 7  # 2 for nil
PACKED_MAP: Final = 8  # as the code of its bytes; an empty one is 0
PACKED_LIST: Final = 9
CELLS: Final = 2
"""How many cells each field has."""

SHORT_HASH: Final = HASH_BYTES << 8 | BYTES_8
"""How bytes as long as a hash begin, where their length takes one byte."""

DONE: Final = 0
DAMAGED: Final = 1
FULL: Final = 2  # a dictionary has no room: again, with a larger one
NEITHER: Final = 2


@compiled
def field_of(words: Words, kind: int, first: Ints, second: Ints, texts: Dictionary, packed: Dictionary) -> int:
    """Replace the places in a field's first cells by what lies there; DONE, DAMAGED or FULL."""
    status = _texts(words, kind, first, second, texts, packed)
    return status if status != DONE else _others(words, kind, first, second)


@compiled
def _texts(words: Words, kind: int, first: Ints, second: Ints, texts: Dictionary, packed: Dictionary) -> int:
    status = DONE
    if kind == TEXT:
        status = _spans(words, first, second)
        if status == DONE and not codes_of(words, first, second, texts):
            status = FULL
    elif kind == PACKED_MAP or kind == PACKED_LIST:
        if _packages(words, MAP if kind == PACKED_MAP else ARRAY, first, second) != DONE:
            status = DAMAGED
        elif not codes_of(words, first, second, packed):
            status = FULL
    return status


@compiled
def _others(words: Words, kind: int, first: Ints, second: Ints) -> int:
    if kind in (INTEGER, OPTIONAL_INTEGER):
        return _integers(words, first, second, kind == OPTIONAL_INTEGER)
    if kind in (FLAG, OPTIONAL_FLAG):
        return _flags(words, first, kind == OPTIONAL_FLAG)
    if kind == HASH:
        return _hashes(words, first, second)
    if kind == ID:
        return _spans(words, first, second)
    if kind == RAW:
        return _raws(words, first, second)
    return DONE


@compiled
def _integers(words: Words, cells: Ints, there: Ints, optional: bool) -> int:  # noqa: FBT001  # compiled calls go by place
    end = len(words) - SPARE
    for row in range(len(cells)):
        place = cells[row]
        there[row] = 1
        if optional and FORMS[byte_at(words, place)] == NIL:
            cells[row], there[row] = 0, 0
            continue
        cells[row], after = integer_at(words, place, end)
        if after < 0:
            return DAMAGED
    return DONE


@compiled
def _flags(words: Words, cells: Ints, optional: bool) -> int:  # noqa: FBT001  # compiled calls go by place
    for row in range(len(cells)):
        form = FORMS[byte_at(words, cells[row])]
        if form == FALSE or form == TRUE:  # a set would have to be compiled, too
            cells[row] = form - FALSE
        elif optional and form == NIL:
            cells[row] = NEITHER
        else:
            return DAMAGED
    return DONE


@compiled
def _hashes(words: Words, cells: Ints, low: Ints) -> int:
    end = len(words) - SPARE
    for row in range(len(cells)):
        place = cells[row]
        if words[place] & 0xFFFF == SHORT_HASH and place + 2 + HASH_BYTES <= end:
            cells[row], low[row] = word_at(words, place + 2), word_at(words, place + 2 + WORD)
            continue
        length, place = length_at(words, place, end, BINARY)
        if length != HASH_BYTES:
            return DAMAGED
        cells[row], low[row] = word_at(words, place), word_at(words, place + WORD)
    return DONE


@compiled
def _spans(words: Words, cells: Ints, lengths: Ints) -> int:
    end = len(words) - SPARE
    for row in range(len(cells)):
        place = cells[row]
        first = words[place] & 0xFF
        # Nearly all are short, and asked here: a call costs more than the look at the byte.
        if SHORT_TEXT <= first < SHORT_TEXT + SHORT_TEXTS and place + first - SHORT_TEXT < end:
            lengths[row], cells[row] = first - SHORT_TEXT, place + 1
            continue
        lengths[row], cells[row] = length_at(words, place, end, msgpack.TEXT)
        if lengths[row] < 0:
            return DAMAGED
    return DONE


@compiled
def _raws(words: Words, cells: Ints, lengths: Ints) -> int:
    end = len(words) - SPARE
    for row in range(len(cells)):
        if FORMS[byte_at(words, cells[row])] == NIL:
            cells[row], lengths[row] = 0, -1
            continue
        lengths[row], cells[row] = length_at(words, cells[row], end, BINARY)
        if lengths[row] < 0:
            return DAMAGED
    return DONE


@compiled
def _packages(words: Words, form: int, cells: Ints, lengths: Ints) -> int:
    """How many bytes maps or lists have; those with nothing in them 0."""
    end = len(words) - SPARE
    empty = 0x80 if form == MAP else 0x90
    for row in range(len(cells)):
        if words[cells[row]] & 0xFF == empty:
            lengths[row] = 0
            continue
        held, _ = length_at(words, cells[row], end, form)
        if held < 0:
            return DAMAGED
        lengths[row] = past(words, cells[row], end) - cells[row] if held > 0 else 0
    return DONE
