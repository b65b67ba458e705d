"""Compiled reading of JSON (RFC 8259): only values of the plainest form, for which one look at each byte is enough.

Texts are ASCII without escapes, numbers have at most 15 digits and no sign or exponent. Whatever is neither is BAD here,
and read with more care elsewhere. Zeros follow the bytes, and no value holds one: no loop goes past them.
"""

from typing import Final

import numpy as np

from service.compiled.compiling import compiled
from service.compiled.memory import byte_at, put_word, trailing_zeros, word_at
from service.ingest.plain.desk import ABSENT, FALSE, NUMBER, TEXT, TRUE, signed

BAD: Final = -1
MAX_DIGITS: Final = 15
"""Doubles and decimals of so many digits name each other."""
QUOTE: Final = ord('"')
COLON: Final = ord(":")
COMMA: Final = ord(",")
OPEN: Final = ord("{")
CLOSE: Final = ord("}")
_SPACE: Final = ord(" ")
_POINT: Final = ord(".")
_ZERO: Final = ord("0")
_NINE: Final = 9

_EACH: Final = 0x0101010101010101
_QUOTES: Final = _EACH * QUOTE
_BACKSLASHES: Final = _EACH * ord("\\")
_SPACES: Final = _EACH * _SPACE
_TOPS: Final = signed(_EACH * 0x80)
_TRUE: Final = int.from_bytes(b"true", "little")
_NULL: Final = int.from_bytes(b"null", "little")
_FALS: Final = int.from_bytes(b"fals", "little")
_LETTER_E: Final = ord("e")
_HALF: Final = 0xFFFFFFFF


def _allowed(forbidden: str, least: str) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    table = np.zeros(256, dtype=np.uint8)
    table[ord(least) : 0x7F] = 1
    for one in forbidden:
        table[ord(one)] = 0
    return table


_IN_NAMES: Final = _allowed(',{}="', " ")
_IN_SOURCES: Final = _allowed("", "!")
_RESERVED: Final = ord("~")


@compiled
def past_space(place: int) -> int:
    """The first place from here on that holds no white space."""
    mark = byte_at(place)
    while mark == 32 or mark == 10 or mark == 13 or mark == 9:
        place += 1
        mark = byte_at(place)
    return place


@compiled
def past_colon(place: int) -> int:
    """Where the value begins behind a key, or BAD."""
    place = past_space(place)
    return past_space(place + 1) if byte_at(place) == COLON else BAD


@compiled
def text_end(place: int, end: int) -> int:
    """Where the quote stands that ends a text, whose first byte is at `place`; BAD for a text that is not plain."""
    while place < end:
        word = word_at(place)
        quote, backslash = word ^ _QUOTES, word ^ _BACKSLASHES
        # The top bit of each byte that is a quote, a backslash, below a space, or no ASCII (and of some behind the first such).
        found = ((quote - _EACH) & ~quote) | ((backslash - _EACH) & ~backslash) | ((word - _SPACES) & ~word) | word
        found &= _TOPS
        if found != 0:
            place += trailing_zeros(found) >> 3
            return place if place < end and byte_at(place) == QUOTE else BAD
        place += 8
    return BAD


@compiled
def value_at(place: int, end: int, cells: int) -> int:
    """Note a text, a number, true, false or null in these cells; where it ends, or BAD."""
    mark = byte_at(place)
    if mark == QUOTE:
        ended = text_end(place + 1, end)
        put_word(cells, TEXT)
        put_word(cells + 8, place + 1)
        put_word(cells + 16, ended - place - 1)
        return ended + 1 if ended != BAD else BAD
    if _ZERO <= mark <= _ZERO + _NINE:
        return _number_at(place, cells)
    four = word_at(place) & _HALF
    if four == _TRUE:
        put_word(cells, TRUE)
        return place + 4
    if four == _FALS and byte_at(place + 4) == _LETTER_E:
        put_word(cells, FALSE)
        return place + 5
    if four == _NULL:
        put_word(cells, ABSENT)
        return place + 4
    return BAD


@compiled
def _number_at(place: int, cells: int) -> int:
    begin, digits = place, 0
    digit = byte_at(place) - _ZERO
    leads = digit == 0
    while 0 <= digit <= _NINE:
        digits = digits * 10 + digit
        place += 1
        digit = byte_at(place) - _ZERO
    whole, behind = place - begin, 0
    if leads and whole > 1:
        return BAD
    if byte_at(place) == _POINT:
        place += 1
        begin = place
        digit = byte_at(place) - _ZERO
        while 0 <= digit <= _NINE:
            digits = digits * 10 + digit
            place += 1
            digit = byte_at(place) - _ZERO
        behind = place - begin
        if behind == 0:
            return BAD
    if whole + behind > MAX_DIGITS:
        return BAD
    put_word(cells, NUMBER)
    put_word(cells + 8, digits)
    put_word(cells + 16, behind)
    return place


@compiled
def is_name(place: int, length: int) -> bool:
    """Whether a plain text is one that `domain/names.py` takes for a name."""
    if length < 1 or length > 100 or byte_at(place) == _RESERVED:
        return False
    good = 1
    for at in range(place, place + length):
        good &= _IN_NAMES[byte_at(at)]
    return good == 1


@compiled
def is_source(place: int, length: int) -> bool:
    """Whether a plain text is one that `domain/names.py` takes for a source."""
    if length < 1 or length > 512:
        return False
    good = 1
    for at in range(place, place + length):
        good &= _IN_SOURCES[byte_at(at)]
    return good == 1
