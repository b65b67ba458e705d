"""Compiled: what every row begins with, and which family an event is of."""

from typing import Final

from service.compiled.compiling import compiled
from service.compiled.memory import put_word, word_at
from service.domain.families.fields import MAX_ACCOUNT, MAX_ID
from service.domain.identity import HASH_BYTES
from service.eventlog.codec import FAMILIES
from service.ingest.plain.blake2b import BLOCK, digest
from service.ingest.plain.desk import (
    ABSENT,
    ACCOUNT,
    BACKFILL,
    HASHED,
    ID,
    KEY_BYTES,
    KEYED,
    MESSAGE,
    NEWEST_US,
    OLDEST_US,
    RECEIVED_US,
    SOURCE,
    SPECVERSION,
    SUBJECT,
    TENANT,
    TEXT,
    TIME,
    TYPE,
    first_bytes,
    first_of,
    halves,
    is_there,
    kind_of,
    second_of,
)
from service.ingest.plain.instants import instant_at
from service.ingest.plain.packing import NIL, copied, put_big_endian, put_bytes, put_flag, put_integer, put_one, put_text
from service.ingest.plain.text import BAD, is_source
from service.ingest.plain.values import NOT_PLAIN

USAGE, REQUEST, DELIVERY = (FAMILIES.index(family) for family in ("usage", "request", "delivery"))
"""The families whose rows are made here."""
OTHER: Final = -1
"""None of them, or an event that is not plain."""

_VERSION: Final = int.from_bytes(b"1.0", "little")
_STEM: Final = halves(b"io.tidegauge.")
"""What all types begin with."""
_STEM_LENGTH: Final = len("io.tidegauge.")
_USAGE_TYPE, _REQUEST_TYPE, _DELIVERY_TYPE = halves(b"usage.v1"), halves(b"request.v1"), halves(b"delivery.v1")


@compiled
def family_of(desk: int) -> int:
    """Which of the types it is."""
    begin, length = first_of(desk, TYPE), second_of(desk, TYPE)
    if kind_of(desk, TYPE) != TEXT or length > _STEM_LENGTH + KEY_BYTES:
        return OTHER
    if word_at(begin) != _STEM[0] or first_bytes(begin + 8, _STEM_LENGTH - 8) != _STEM[1]:
        return OTHER
    begin, length = begin + _STEM_LENGTH, length - _STEM_LENGTH
    found = (first_bytes(begin, length), first_bytes(begin + 8, length - 8))
    if found == _USAGE_TYPE:
        return USAGE
    if found == _REQUEST_TYPE:
        return REQUEST
    return DELIVERY if found == _DELIVERY_TYPE else OTHER


@compiled
def is_sound(desk: int) -> bool:
    """Whether the attributes that every row's head is made of are of their types and lengths."""
    version = kind_of(desk, SPECVERSION) == TEXT and second_of(desk, SPECVERSION) == 3
    if not version or first_bytes(first_of(desk, SPECVERSION), 3) != _VERSION:
        return False
    if kind_of(desk, ID) != TEXT or second_of(desk, ID) < 1 or second_of(desk, ID) > MAX_ID:
        return False
    if kind_of(desk, SOURCE) != TEXT or not is_source(first_of(desk, SOURCE), second_of(desk, SOURCE)):
        return False
    if kind_of(desk, TIME) != TEXT and kind_of(desk, TIME) != ABSENT:
        return False
    return _is_text(desk, ACCOUNT, MAX_ACCOUNT) and _is_text(desk, SUBJECT, MAX_ID)


@compiled
def _is_text(desk: int, field: int, most: int) -> bool:
    """Whether a text that need not be there has 1 to `most` characters."""
    kind = kind_of(desk, field)
    return kind == ABSENT or (kind == TEXT and 1 <= second_of(desk, field) <= most)


@compiled
def head(place: int, desk: int, begin: int, end: int) -> int:
    """The fields that every row begins with; NOT_PLAIN for a time that cannot be read here."""
    timed, time_us = is_there(desk, TIME), 0
    if timed:
        time_us = instant_at(first_of(desk, TIME), second_of(desk, TIME), desk)
        if time_us == BAD:
            return NOT_PLAIN
    _hash(desk, timed, time_us)
    place = put_bytes(place, desk + HASHED, HASH_BYTES)
    place = put_integer(place, word_at(desk + TENANT))
    place = put_text(place, first_of(desk, SOURCE), second_of(desk, SOURCE))
    place = put_text(place, first_of(desk, ID), second_of(desk, ID))
    place = put_integer(place, time_us) if timed else put_one(place, NIL)
    place = put_integer(place, word_at(desk + RECEIVED_US))
    if is_there(desk, ACCOUNT):
        place = put_text(place, first_of(desk, ACCOUNT), second_of(desk, ACCOUNT))
    else:
        place = put_text(place, place, 0)
    place = put_flag(place, word_at(desk + BACKFILL) != 0)
    if timed and (time_us < word_at(desk + OLDEST_US) or time_us > word_at(desk + NEWEST_US)):
        # Whether it is refused is the aggregator's to say; the dead letter then needs the bytes.
        return put_bytes(place, begin, end - begin)
    return put_one(place, NIL)


@compiled
def _hash(desk: int, timed: bool, time_us: int) -> None:
    """Hash what makes an event itself, as `domain/identity.py` does; comes to the front of HASHED."""
    message = desk + MESSAGE
    source, identifier = second_of(desk, SOURCE), second_of(desk, ID)
    place = put_big_endian(message, word_at(desk + TENANT), 4)
    place = put_big_endian(place, 1 if timed else 0, 1)
    place = put_big_endian(place, time_us, 8)
    place = put_big_endian(place, source, 2)
    place = put_big_endian(place, identifier, 2)
    place = copied(place, first_of(desk, SOURCE), source)
    place = copied(place, first_of(desk, ID), identifier)
    length = place - message
    for at in range(place, message + (length + BLOCK - 1) // BLOCK * BLOCK, 8):
        put_word(at, 0)
    digest(word_at(desk + KEYED), message, length, desk + HASHED)
