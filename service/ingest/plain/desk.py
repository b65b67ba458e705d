"""Where compiled loops keep what they know of an event: the fields that can be plain, and cells for them."""

from typing import Final

import numpy as np
import numpy.typing as npt

from service.compiled.compiling import compiled
from service.compiled.memory import word_at

# What every event has around its data.
(SPECVERSION, ID, SOURCE, TYPE, TIME, SUBJECT, ACCOUNT, DATA, DATA_BASE64) = range(9)
# Fields of `data`, of all families whose rows are made here.
(
    FEATURE, SESSION, DURATION_MS, QUANTITY, OK, PHASE, PROPERTIES,
    SERVICE, LATENCY_MS, ROUTE, METHOD, STATUS, TIMEOUT, COUNT, REGION, ERROR_KIND, EXCLUDED,
    INTEGRATION, OUTCOME, DIRECTION, ATTEMPT, ACCEPTED_AT, LIMIT_MS, EXHAUSTED, AUTOMATED,
) = range(9, 34)  # fmt: skip
IGNORED: Final = 34
"""Attributes that the contract leaves alone."""
UNKNOWN: Final = -1

_NAMES: Final = (
    "specversion", "id", "source", "type", "time", "subject", "account", "data", "data_base64",
    "feature", "session", "duration_ms", "quantity", "ok", "phase", "properties",
    "service", "latency_ms", "route", "method", "status", "timeout", "count", "region", "error_kind", "excluded",
    "integration", "outcome", "direction", "attempt", "accepted_at", "limit_ms", "exhausted", "automated",
)  # fmt: skip

# The cells of a field: what its value is, and two integers that say more.
CELLS_BYTES: Final = 24
ABSENT: Final = 0
"""Missing or null, which is the same."""
TRUE: Final = 1
FALSE: Final = 2
TEXT: Final = 3  # where it begins, and how many bytes it has
NUMBER: Final = 4  # its digits as an integer, and how many of them stand behind the point
MAP: Final = 5  # where its first entry begins, and how many there are

FIELDS_BYTES: Final = (IGNORED + 1) * CELLS_BYTES
# Behind the fields' cells: what holds for all events of a batch, eight bytes each.
TENANT: Final = FIELDS_BYTES
RECEIVED_US: Final = TENANT + 8
BACKFILL: Final = RECEIVED_US + 8
OLDEST_US: Final = BACKFILL + 8
NEWEST_US: Final = OLDEST_US + 8
KEYED: Final = NEWEST_US + 8  # the address of the state that every hash begins with
MAX_BYTES: Final = KEYED + 8  # of an event
ROOM_END: Final = MAX_BYTES + 8  # the address where the room for rows ends
# The last second that was read, its text and its instant.
SECOND_TEXT: Final = ROOM_END + 8
SECOND_US: Final = SECOND_TEXT + 24
HASHED: Final = SECOND_US + 8  # a state, which has the hash in front
MESSAGE: Final = HASHED + 64
MESSAGE_BYTES: Final = 1_024  # what is hashed of an event: 17 bytes, 512 of a source and 256 of an id, and zeros
DESK_BYTES: Final = MESSAGE + MESSAGE_BYTES

KEY_BYTES: Final = 16
"""More than the longest name has."""
_PLACES: Final = 128
_MASK: Final = (1 << 64) - 1


def signed(word: int) -> int:
    """The integer of 64 bits and a sign that has these bits."""
    return (word & _MASK) - ((word & _MASK) >> 63 << 64)


def halves(name: bytes) -> tuple[int, int]:
    """A text of at most KEY_BYTES as two words; no two texts have the same ones."""
    padded = name.ljust(KEY_BYTES, b"\0")
    return int.from_bytes(padded[:8], "little", signed=True), int.from_bytes(padded[8:], "little", signed=True)


def _factor() -> int:
    """What spreads the names over the table so that no two share a place."""
    for factor in range(0x9E3779B97F4A7C15, 0x9E3779B97F4A7C15 + 200_000, 2):
        places = {((low + 31 * high) * factor & _MASK) >> 57 for low, high in (halves(name.encode()) for name in _NAMES)}
        if len(places) == len(_NAMES):
            return signed(factor)
    raise AssertionError("a larger table is needed for so many names")


_FACTOR: Final = _factor()


def _table() -> npt.NDArray[np.int64]:
    table = np.full((_PLACES, 3), UNKNOWN, dtype=np.int64)
    for field, name in enumerate(_NAMES):
        low, high = halves(name.encode())
        table[((low + 31 * high) * _FACTOR & _MASK) >> 57] = low, high, field
    return table


_TABLE: Final = _table()


@compiled
def first_bytes(place: int, count: int) -> int:
    """A word of which only so many bytes count, the others being zero."""
    if count >= 8:
        return word_at(place)
    return word_at(place) & ((1 << (count << 3)) - 1) if count > 0 else 0


@compiled
def field_named(place: int, length: int) -> int:
    """The field that the text there names; UNKNOWN for all others."""
    if length > KEY_BYTES:
        return UNKNOWN
    low, high = first_bytes(place, length), first_bytes(place + 8, length - 8)
    at = (((low + 31 * high) * _FACTOR) >> 57) & 127
    if _TABLE[at, 0] == low and _TABLE[at, 1] == high:
        return _TABLE[at, 2]  # type: ignore[no-any-return]  # an integer once compiled
    return UNKNOWN


@compiled
def is_there(desk: int, field: int) -> bool:
    """Whether a field has a value."""
    return word_at(desk + field * CELLS_BYTES) != ABSENT


@compiled
def kind_of(desk: int, field: int) -> int:
    """What a field's value is."""
    return word_at(desk + field * CELLS_BYTES)


@compiled
def first_of(desk: int, field: int) -> int:
    """The first integer of a field's value."""
    return word_at(desk + field * CELLS_BYTES + 8)


@compiled
def second_of(desk: int, field: int) -> int:
    """The second integer of a field's value."""
    return word_at(desk + field * CELLS_BYTES + 16)
