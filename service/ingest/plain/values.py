"""Compiled: fields of `data` held against the contract and written; `0` in place of an address where one is not plain."""

from typing import Final

from service.compiled.compiling import compiled
from service.compiled.memory import byte_at
from service.domain.families.fields import MAX_TEXT
from service.domain.numbers import DECIMAL_PLACES, MAX_DURATION_MS, NANO
from service.ingest.plain.desk import ABSENT, FALSE, MAP, NUMBER, TEXT, TRUE, first_of, kind_of, second_of
from service.ingest.plain.instants import instant_at
from service.ingest.plain.packing import NIL, put_flag, put_integer, put_map, put_one, put_text
from service.ingest.plain.text import COMMA, is_name, past_colon, past_space, text_end

NOT_PLAIN: Final = 0
"""In place of an address: this field is none that is written here. Passed on, it stays what it is."""
_MS_PLACES: Final = 6
"""Places of a duration in milliseconds, down to the nanosecond."""
_QUANTITY_BELOW: Final = 10**9
_TENS: Final = tuple(10**places for places in range(16))


@compiled
def text(place: int, desk: int, field: int, least: int, most: int) -> int:
    """A text of so many characters; "" where it is missing."""
    if place == NOT_PLAIN:
        return NOT_PLAIN
    kind = kind_of(desk, field)
    if kind == ABSENT:
        return put_text(place, place, 0)
    length = second_of(desk, field)
    if kind != TEXT or length < least or length > most:
        return NOT_PLAIN
    return put_text(place, first_of(desk, field), length)


@compiled
def name(place: int, desk: int, field: int, required: bool) -> int:
    """A name; "" where it is missing and need not be there."""
    if place == NOT_PLAIN:
        return NOT_PLAIN
    kind = kind_of(desk, field)
    if kind == ABSENT:
        return NOT_PLAIN if required else put_text(place, place, 0)
    begin, length = first_of(desk, field), second_of(desk, field)
    if kind != TEXT or not is_name(begin, length):
        return NOT_PLAIN
    return put_text(place, begin, length)


@compiled
def flag(place: int, desk: int, field: int, default: bool) -> int:
    """True or false."""
    if place == NOT_PLAIN:
        return NOT_PLAIN
    kind = kind_of(desk, field)
    if kind == ABSENT:
        return put_flag(place, default)
    return put_flag(place, kind == TRUE) if kind == TRUE or kind == FALSE else NOT_PLAIN


@compiled
def integer(place: int, desk: int, field: int, least: int, most: int, default: int) -> int:
    """A whole number between these."""
    if place == NOT_PLAIN:
        return NOT_PLAIN
    kind = kind_of(desk, field)
    if kind == ABSENT:
        return put_integer(place, default)
    value = first_of(desk, field)
    if kind != NUMBER or second_of(desk, field) > 0 or value < least or value > most:
        return NOT_PLAIN
    return put_integer(place, value)


@compiled
def duration(place: int, desk: int, field: int) -> int:
    """Milliseconds as nanoseconds, none of them lost; nil where it is missing."""
    if place == NOT_PLAIN:
        return NOT_PLAIN
    kind = kind_of(desk, field)
    if kind == ABSENT:
        return put_one(place, NIL)
    digits, behind = first_of(desk, field), second_of(desk, field)
    if kind != NUMBER or behind > _MS_PLACES or digits > MAX_DURATION_MS * _TENS[behind]:
        return NOT_PLAIN
    return put_integer(place, digits * _TENS[_MS_PLACES - behind])


@compiled
def quantity(place: int, desk: int, field: int) -> int:
    """More than 0, as 10⁻⁹ units; 1 where it is missing."""
    if place == NOT_PLAIN:
        return NOT_PLAIN
    kind = kind_of(desk, field)
    if kind == ABSENT:
        return put_integer(place, NANO)
    digits, behind = first_of(desk, field), second_of(desk, field)
    if kind != NUMBER or behind > DECIMAL_PLACES or digits == 0 or digits >= _QUANTITY_BELOW * _TENS[behind]:
        return NOT_PLAIN
    return put_integer(place, digits * _TENS[DECIMAL_PLACES - behind])


@compiled
def instant(place: int, desk: int, field: int) -> int:
    """An instant as microseconds; nil where it is missing."""
    if place == NOT_PLAIN:
        return NOT_PLAIN
    kind = kind_of(desk, field)
    if kind == ABSENT:
        return put_one(place, NIL)
    if kind != TEXT:
        return NOT_PLAIN
    micros = instant_at(first_of(desk, field), second_of(desk, field), desk)
    return put_integer(place, micros) if micros >= 0 else NOT_PLAIN


@compiled
def properties(place: int, desk: int, field: int, end: int) -> int:
    """A map of names to texts, which `events.py` has found sound; `end` is where the event ends."""
    if place == NOT_PLAIN:
        return NOT_PLAIN
    kind = kind_of(desk, field)
    if kind == ABSENT:
        return put_map(place, 0)
    if kind != MAP:
        return NOT_PLAIN
    at, entries = first_of(desk, field), second_of(desk, field)
    place = put_map(place, entries)
    for _ in range(entries):
        ended = text_end(at + 1, end)
        if not is_name(at + 1, ended - at - 1):
            return NOT_PLAIN
        place = put_text(place, at + 1, ended - at - 1)
        at = past_colon(ended + 1) + 1
        ended = text_end(at, end)
        if ended - at > MAX_TEXT:
            return NOT_PLAIN
        place = put_text(place, at, ended - at)
        at = past_space(ended + 1)
        if byte_at(at) == COMMA:
            at = past_space(at + 1)
    return place
