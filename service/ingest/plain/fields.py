"""Compiled: the attributes of an event and the fields of its data, found in its JSON and noted on the desk."""

from service.compiled.compiling import compiled
from service.compiled.memory import byte_at, put_word
from service.domain.families.fields import MAX_PROPERTIES
from service.ingest.plain.desk import (
    CELLS_BYTES,
    DATA,
    FEATURE,
    IGNORED,
    MAP,
    PROPERTIES,
    UNKNOWN,
    field_named,
    first_bytes,
)
from service.ingest.plain.text import BAD, CLOSE, COMMA, OPEN, QUOTE, past_colon, past_space, text_end, value_at


@compiled
def envelope_at(place: int, end: int, desk: int) -> tuple[int, int]:
    """Note an event's attributes and the fields of its data; where it ends or BAD, and which fields there are, as bits."""
    seen, inside = 0, 0
    place = past_space(place + 1)
    while byte_at(place) == QUOTE:
        begin = place + 1
        ended = text_end(begin, end)
        if ended == BAD:
            return BAD, 0
        field = field_named(begin, ended - begin)
        if field == UNKNOWN or field >= FEATURE:
            field = IGNORED
        elif seen >> field & 1:
            return BAD, 0
        else:
            seen |= 1 << field
        place = past_colon(ended + 1)
        if place == BAD:
            return BAD, 0
        if field == DATA:
            place, inside = _data_at(place, end, desk)
        else:
            place = value_at(place, end, desk + field * CELLS_BYTES)
        if place == BAD:
            return BAD, 0
        place = past_space(place)
        mark = byte_at(place)
        if mark == CLOSE:
            # Without data there is no event.
            return (place + 1, inside) if seen >> DATA & 1 else (BAD, 0)
        if mark != COMMA:
            return BAD, 0
        place = past_space(place + 1)
    return BAD, 0


@compiled
def _data_at(place: int, end: int, desk: int) -> tuple[int, int]:
    """Note the fields of `data`; where it ends or BAD, and which there are, as bits."""
    seen = 0
    if byte_at(place) != OPEN:
        return BAD, 0
    place = past_space(place + 1)
    while byte_at(place) == QUOTE:
        begin = place + 1
        ended = text_end(begin, end)
        if ended == BAD:
            return BAD, 0
        field = field_named(begin, ended - begin)
        if field < FEATURE or seen >> field & 1:
            return BAD, 0
        seen |= 1 << field
        place = past_colon(ended + 1)
        if place == BAD:
            return BAD, 0
        cells = desk + field * CELLS_BYTES
        is_map = field == PROPERTIES and byte_at(place) == OPEN
        place = _map_at(place, end, cells) if is_map else value_at(place, end, cells)
        if place == BAD:
            return BAD, 0
        place = past_space(place)
        mark = byte_at(place)
        if mark == CLOSE:
            return place + 1, seen
        if mark != COMMA:
            return BAD, 0
        place = past_space(place + 1)
    return BAD, 0


@compiled
def _map_at(place: int, end: int, cells: int) -> int:
    """Note a map of texts, none of whose keys comes twice; where it ends, or BAD."""
    place = past_space(place + 1)
    first, entries = place, 0
    put_word(cells, MAP)
    put_word(cells + 8, first)
    put_word(cells + 16, 0)
    if byte_at(place) == CLOSE:
        return place + 1
    while byte_at(place) == QUOTE and entries < MAX_PROPERTIES:
        key, ended = place + 1, text_end(place + 1, end)
        if ended == BAD or _is_among(first, entries, key, ended - key, end):
            return BAD
        place = past_colon(ended + 1)
        if place == BAD or byte_at(place) != QUOTE:
            return BAD
        ended = text_end(place + 1, end)
        if ended == BAD:
            return BAD
        entries += 1
        put_word(cells + 16, entries)
        place = past_space(ended + 1)
        if byte_at(place) == CLOSE:
            return place + 1
        if byte_at(place) != COMMA:
            return BAD
        place = past_space(place + 1)
    return BAD


@compiled
def _is_among(at: int, entries: int, key: int, length: int, end: int) -> bool:
    """Whether one of these entries has this key."""
    for _ in range(entries):
        ended = text_end(at + 1, end)
        if ended - at - 1 == length:
            differs = 0
            for offset in range(0, length, 8):
                differs |= first_bytes(at + 1 + offset, length - offset) ^ first_bytes(key + offset, length - offset)
            if differs == 0:
                return True
        at = past_space(text_end(past_colon(ended + 1) + 1, end) + 1)
        at = past_space(at + 1)
    return False
