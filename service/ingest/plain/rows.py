"""Compiled: rows of the families that come in numbers, field by field as `domain/families` makes them.

Each function returns where its row ends, or NOT_PLAIN for an event that it leaves to the decoder: one that breaks the
contract, and one that needs more than a look.
"""

from typing import Final

from service.compiled.compiling import compiled
from service.compiled.memory import put_word
from service.domain.families.fields import MAX_ID, MAX_TEXT
from service.domain.families.rows import DeliveryRow, RequestRow, UsageRow
from service.domain.numbers import MAX_COUNT
from service.ingest.plain.desk import (
    ABSENT,
    ACCEPTED_AT,
    ATTEMPT,
    AUTOMATED,
    COUNT,
    DIRECTION,
    DURATION_MS,
    ERROR_KIND,
    EXCLUDED,
    EXHAUSTED,
    FEATURE,
    INTEGRATION,
    LATENCY_MS,
    LIMIT_MS,
    METHOD,
    OK,
    OUTCOME,
    PHASE,
    PROPERTIES,
    QUANTITY,
    REGION,
    ROUTE,
    SERVICE,
    SESSION,
    STATUS,
    SUBJECT,
    TEXT,
    TIMEOUT,
    TRUE,
    first_bytes,
    first_of,
    halves,
    is_there,
    kind_of,
    second_of,
)
from service.ingest.plain.packing import put_one, put_text
from service.ingest.plain.values import NOT_PLAIN, duration, flag, instant, integer, name, properties, quantity, text

USAGE_FIELDS: Final = len(UsageRow.__struct_fields__)
REQUEST_FIELDS: Final = len(RequestRow.__struct_fields__)
DELIVERY_FIELDS: Final = len(DeliveryRow.__struct_fields__)


def _bits(*fields: int) -> int:
    return sum(1 << field for field in fields)


IN_USAGE: Final = _bits(FEATURE, SESSION, DURATION_MS, QUANTITY, OK, PHASE, PROPERTIES)
IN_REQUEST: Final = _bits(SERVICE, LATENCY_MS, ROUTE, METHOD, STATUS, TIMEOUT, COUNT, REGION, ERROR_KIND, EXCLUDED)
IN_DELIVERY: Final = _bits(
    INTEGRATION, OUTCOME, DIRECTION, ATTEMPT, LATENCY_MS, ACCEPTED_AT, LIMIT_MS, EXHAUSTED, AUTOMATED, EXCLUDED
)

_INBOUND, _OUTBOUND = halves(b"inbound"), halves(b"outbound")
_DELIVERED: Final = halves(b"delivered")
_ACCEPTED, _RETRYING, _FAILED = halves(b"accepted"), halves(b"retrying"), halves(b"failed")
_DEAD_LETTERED, _REDELIVERED = halves(b"dead_lettered"), halves(b"redelivered")
_SEVEN: Final = 0xA7
"""A text of as many bytes as `inbound` has."""
_STATUSES: Final = (100, 599)


@compiled
def usage(place: int, desk: int, end: int) -> int:
    """What follows the head in the row of a use; its phases are left to the decoder."""
    if is_there(desk, PHASE) or not is_there(desk, SUBJECT):
        return NOT_PLAIN
    place = text(place, desk, SUBJECT, 1, MAX_ID)
    place = name(place, desk, FEATURE, True)
    place = text(place, desk, SESSION, 1, MAX_ID)
    place = duration(place, desk, DURATION_MS)
    place = quantity(place, desk, QUANTITY)
    place = flag(place, desk, OK, True)
    if place == NOT_PLAIN:
        return NOT_PLAIN
    place = put_text(place, place, 0)
    place = properties(place, desk, PROPERTIES, end)
    return put_one(place, 0) if place != NOT_PLAIN else NOT_PLAIN


@compiled
def request(place: int, desk: int) -> int:
    """What follows the head in the row of a request."""
    timeout = kind_of(desk, TIMEOUT) == TRUE
    if not is_there(desk, LATENCY_MS) or not (timeout or is_there(desk, STATUS)):
        return NOT_PLAIN
    place = name(place, desk, SERVICE, True)
    place = text(place, desk, ROUTE, 0, MAX_TEXT)
    place = name(place, desk, METHOD, False)
    if integer(place, desk, STATUS, _STATUSES[0], _STATUSES[1], 0) == NOT_PLAIN:
        return NOT_PLAIN
    # One that timed out has no status, whatever a proxy made up for it.
    place = put_one(place, 0) if timeout else integer(place, desk, STATUS, _STATUSES[0], _STATUSES[1], 0)
    place = flag(place, desk, TIMEOUT, False)
    place = duration(place, desk, LATENCY_MS)
    place = integer(place, desk, COUNT, 1, MAX_COUNT, 1)
    place = name(place, desk, REGION, False)
    place = name(place, desk, ERROR_KIND, False)
    return text(place, desk, EXCLUDED, 0, MAX_TEXT)


@compiled
def delivery(place: int, desk: int) -> int:
    """What follows the head in the row of a delivery's step."""
    outcome = _outcome(desk)
    if not is_there(desk, SUBJECT) or outcome == 0 or (outcome == 1 and not is_there(desk, LATENCY_MS)):
        return NOT_PLAIN
    place = text(place, desk, SUBJECT, 1, MAX_ID)
    place = name(place, desk, INTEGRATION, True)
    place = _direction(place, desk)
    place = text(place, desk, OUTCOME, 1, MAX_TEXT)
    place = integer(place, desk, ATTEMPT, 1, MAX_COUNT, 1)
    place = duration(place, desk, LATENCY_MS)
    place = instant(place, desk, ACCEPTED_AT)
    place = duration(place, desk, LIMIT_MS)
    place = flag(place, desk, EXHAUSTED, False)
    place = flag(place, desk, AUTOMATED, True)
    return text(place, desk, EXCLUDED, 0, MAX_TEXT)


@compiled
def _outcome(desk: int) -> int:
    """1 for `delivered`, 2 for the others, 0 for none of them."""
    begin, length = first_of(desk, OUTCOME), second_of(desk, OUTCOME)
    if kind_of(desk, OUTCOME) != TEXT or length > 16:
        return 0
    found = (first_bytes(begin, length), first_bytes(begin + 8, length - 8))
    if found == _DELIVERED:
        return 1
    known = found == _ACCEPTED or found == _RETRYING or found == _FAILED or found == _DEAD_LETTERED or found == _REDELIVERED
    return 2 if known else 0


@compiled
def _direction(place: int, desk: int) -> int:
    if place == NOT_PLAIN:
        return NOT_PLAIN
    kind = kind_of(desk, DIRECTION)
    begin, length = first_of(desk, DIRECTION), second_of(desk, DIRECTION)
    if kind == ABSENT:
        put_one(place, _SEVEN)
        put_word(place + 1, _INBOUND[0])
        return place + 8
    if kind != TEXT or length > 16:
        return NOT_PLAIN
    found = (first_bytes(begin, length), first_bytes(begin + 8, length - 8))
    return put_text(place, begin, length) if found == _INBOUND or found == _OUTBOUND else NOT_PLAIN
