"""Compiled reading of RFC 3339 instants, as `domain/timestamps.py` reads them; rarer forms of them are BAD here."""

from typing import Final

from service.compiled.compiling import compiled
from service.compiled.memory import byte_at, put_word, word_at
from service.ingest.plain.desk import SECOND_TEXT, SECOND_US, first_bytes
from service.ingest.plain.text import BAD

_SECOND_LENGTH: Final = len("2025-11-17T09:30:00")
_MAX_TEXT: Final = 64
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9998
"""One before the last, so that no offset leads out of bounds."""
_SECOND: Final = 1_000_000
_MINUTE: Final = 60 * _SECOND
_DAY: Final = 86_400 * _SECOND
_ZERO: Final = ord("0")
_DASH: Final = ord("-")
_COLON: Final = ord(":")
_PLUS: Final = ord("+")
_POINT: Final = ord(".")


@compiled
def instant_at(place: int, length: int, desk: int) -> int:
    """Microseconds since 1970 of the instant that a text names, or BAD; remembers the second that it read last."""
    if length <= _SECOND_LENGTH or length > _MAX_TEXT:
        return BAD
    first, second, third = word_at(place), word_at(place + 8), first_bytes(place + 16, 3)
    known = desk + SECOND_TEXT
    if word_at(known) == first and word_at(known + 8) == second and word_at(known + 16) == third:
        begun = word_at(desk + SECOND_US)
    else:
        begun = _second_us(place)
        if begun == BAD:
            return BAD
        put_word(known, first)
        put_word(known + 8, second)
        put_word(known + 16, third)
        put_word(desk + SECOND_US, begun)
    return _with_rest(begun, place + _SECOND_LENGTH, place + length)


@compiled
def _number(place: int, count: int) -> int:
    """So many digits as a number, or less than 0."""
    found = 0
    for at in range(place, place + count):
        digit = byte_at(at) - _ZERO
        if digit < 0 or digit > 9:
            return -1_000_000
        found = found * 10 + digit
    return found


@compiled
def _second_us(place: int) -> int:
    year, month, day = _number(place, 4), _number(place + 5, 2), _number(place + 8, 2)
    hour, minute, second = _number(place + 11, 2), _number(place + 14, 2), _number(place + 17, 2)
    marks = byte_at(place + 4) == _DASH and byte_at(place + 7) == _DASH and byte_at(place + 10) == ord("T")
    if not marks or byte_at(place + 13) != _COLON or byte_at(place + 16) != _COLON:
        return BAD
    if year < _FIRST_YEAR or year > _LAST_YEAR or month < 1 or month > 12 or day < 1 or day > _days_in(year, month):
        return BAD
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return BAD
    return _day_number(year, month, day) * _DAY + ((hour * 60 + minute) * 60 + second) * _SECOND


@compiled
def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


@compiled
def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 29 if _is_leap(year) else 28
    return 30 if month in (4, 6, 9, 11) else 31


@compiled
def _day_number(year: int, month: int, day: int) -> int:
    """Days since 1970 in the proleptic Gregorian calendar; years are counted from March, so that leap days come last."""
    if month <= 2:
        year, month = year - 1, month + 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719_469


@compiled
def _with_rest(begun: int, place: int, end: int) -> int:
    """The second and what follows it: a fraction, of which six digits count, and an offset."""
    micros = 0
    if byte_at(place) == _POINT:
        place += 1
        begin, unit = place, 100_000
        digit = byte_at(place) - _ZERO
        while 0 <= digit <= 9:
            micros += digit * unit
            unit //= 10
            place += 1
            digit = byte_at(place) - _ZERO
        if place == begin:
            return BAD
    if place + 1 == end:
        return begun + micros if byte_at(place) == ord("Z") else BAD
    sign = byte_at(place)
    if place + 6 != end or (sign != _PLUS and sign != _DASH) or byte_at(place + 3) != _COLON:
        return BAD
    hours, minutes = _number(place + 1, 2), _number(place + 4, 2)
    if hours < 0 or hours > 23 or minutes < 0 or minutes > 59:
        return BAD
    offset = (hours * 60 + minutes) * _MINUTE
    instant = begun + micros - offset if sign == _PLUS else begun + micros + offset
    return instant if instant >= 0 else BAD
