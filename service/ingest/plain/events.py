"""Compiled: one event, from its JSON to its row, where all of it is plain."""

from typing import Final

from service.compiled.compiling import compiled
from service.compiled.memory import put_word, word_at
from service.ingest.plain.desk import ABSENT, CELLS_BYTES, DATA_BASE64, IGNORED, MAX_BYTES, ROOM_END, is_there
from service.ingest.plain.fields import envelope_at
from service.ingest.plain.head import DELIVERY, OTHER, REQUEST, USAGE, family_of, head, is_sound
from service.ingest.plain.packing import put_row
from service.ingest.plain.rows import (
    DELIVERY_FIELDS,
    IN_DELIVERY,
    IN_REQUEST,
    IN_USAGE,
    REQUEST_FIELDS,
    USAGE_FIELDS,
    delivery,
    request,
    usage,
)
from service.ingest.plain.text import BAD
from service.ingest.plain.values import NOT_PLAIN

ROOM: Final = 512
"""More than a row takes beyond the bytes of its event (and once more these, where they are kept)."""


@compiled
def row_of(place: int, end: int, whole: bool, desk: int, into: int) -> tuple[int, int, int]:
    """Write the row of the event whose opening brace is at `place`; where the event ends, where the row does, its family.

    BAD in place of the event's end: it is not plain. `whole` says that it must end where its bytes do.
    """
    for field in range(IGNORED):
        put_word(desk + field * CELLS_BYTES, ABSENT)
    after, fields = envelope_at(place, end, desk)
    if after == BAD or after > end or (whole and after != end):
        return BAD, into, OTHER
    size = after - place
    if size > word_at(desk + MAX_BYTES) or into + 2 * size + ROOM > word_at(desk + ROOM_END):
        return BAD, into, OTHER
    family = family_of(desk)
    if family == OTHER or is_there(desk, DATA_BASE64) or not is_sound(desk):
        return BAD, into, OTHER
    row = NOT_PLAIN
    if family == USAGE and fields & ~IN_USAGE == 0:
        row = usage(head(put_row(into, USAGE_FIELDS), desk, place, after), desk, after)
    elif family == REQUEST and fields & ~IN_REQUEST == 0:
        row = request(head(put_row(into, REQUEST_FIELDS), desk, place, after), desk)
    elif family == DELIVERY and fields & ~IN_DELIVERY == 0:
        row = delivery(head(put_row(into, DELIVERY_FIELDS), desk, place, after), desk)
    return (after, row, family) if row != NOT_PLAIN else (BAD, into, OTHER)
