"""Compiled loops over records: each field of each row becomes one or two integers, equal texts the same one.

Records are MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md) as `eventlog/codec.py` writes them.
Nothing here trusts them: every length is held against the record's end, and whatever is not of the form expected
ends the scan. Two passes: the first notes where each field begins, the second reads a field of many rows at a time,
for a call costs as much as several fields (arrays that travel through calls are counted by numba).
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from service.aggregate.records.compiling import compiled
from service.aggregate.records.dictionary import Dictionary
from service.aggregate.records.fields import DAMAGED, DONE, field_of
from service.aggregate.records.msgpack import ARRAY, BAD, BYTES_8, NEVER, SIZES, TEXT, Words, byte_at, integer_at, length_at, past

Ints = npt.NDArray[np.int64]


VERSION, PRODUCER_FROM, PRODUCER_END, SEQUENCE, EVENTS, REJECTED, REJECTED_FROM, REJECTED_END = range(8)
"""Columns of `heads`: what is known of a record besides its rows."""
HEADS: Final = 8
HEAD_FIELDS: Final = 4
"""Of a record, before its lists: version, producer, sequence, events."""

ROWS_AT_ONCE: Final = 4_096
"""So many rows stay in a core's own cache while their fields are read."""
REJECTED_LIST: Final = -1
"""In `Layout.lists`: this list holds what ingest refused."""


class Layout(NamedTuple):
    """Which list of a record is whose, and what the rows of all families look like, one family after another."""

    lists: Ints
    """Of each list of a record its family, or REJECTED_LIST."""
    kinds: Ints
    """Of each field."""
    first: Ints
    """Of each family its first field; and where the last one's end."""


@compiled
def places(words: Words, ends: Ints, layout: Layout, cells: Ints, rows: Ints, heads: Ints) -> tuple[int, int]:
    """Note in the first cell of each field where it begins.

    `words` are those of records that lie one after another and end at `ends`. Fills `cells` (fields x CELLS x events),
    `rows` (records x families: how many rows) and `heads` (records x HEADS); the rows of a family stand in the order of
    the records. Returns DONE and the number of records, or DAMAGED and the number of the record that is not of this form.
    """
    known, families = len(layout.lists), len(layout.first) - 1
    totals = np.zeros(families, dtype=np.int64)
    begin = 0
    for record in range(len(ends)):
        end = ends[record]
        lists, position = _head(words, begin, end, heads[record])
        events = 0
        if lists > known:
            return DAMAGED, record
        for place in range(lists):
            begins, family = position, layout.lists[place]
            length, position = length_at(words, position, end, ARRAY)
            events += max(length, 0)
            if length < 0 or events > heads[record, EVENTS]:
                return DAMAGED, record
            if family == REJECTED_LIST:
                position = past(words, begins, end)
                heads[record, REJECTED], heads[record, REJECTED_FROM], heads[record, REJECTED_END] = length, begins, position
            elif length > 0:
                if totals[family] + length > cells.shape[2]:
                    return DAMAGED, record
                own = cells[layout.first[family] : layout.first[family + 1], 0, totals[family] : totals[family] + length]
                position = _rows(words, position, end, own)
                totals[family] += length
                rows[record, family] = length
            if position < 0:
                return DAMAGED, record
        if position != end or events != heads[record, EVENTS]:
            return DAMAGED, record
        begin = end
    return DONE, len(ends)


@compiled
def values(words: Words, layout: Layout, counts: Ints, cells: Ints, texts: Dictionary, packed: Dictionary) -> int:
    """Replace the places of all fields by what lies there; `counts` is how many rows each family has."""
    for family in range(len(counts)):
        for begin in range(0, counts[family], ROWS_AT_ONCE):
            chunk = slice(begin, min(begin + ROWS_AT_ONCE, counts[family]))
            for field in range(layout.first[family], layout.first[family + 1]):
                kind, first, second = layout.kinds[field], cells[field, 0, chunk], cells[field, 1, chunk]
                status = field_of(words, kind, first, second, texts, packed)
                if status != DONE:
                    return status
    return DONE


@compiled
def _head(words: Words, position: int, end: int, head: Ints) -> tuple[int, int]:
    """Read what a record begins with; how many lists follow, and where, or BAD."""
    width, position = length_at(words, position, end, ARRAY)
    if width < HEAD_FIELDS:
        return 0, BAD
    head[VERSION], position = integer_at(words, position, end)
    if position < 0:
        return 0, BAD
    length, position = length_at(words, position, end, TEXT)
    if length < 0:
        return 0, BAD
    head[PRODUCER_FROM], head[PRODUCER_END] = position, position + length
    head[SEQUENCE], position = integer_at(words, position + length, end)
    if position < 0:
        return 0, BAD
    head[EVENTS], position = integer_at(words, position, end)
    return width - HEAD_FIELDS, position


@compiled
def _rows(words: Words, position: int, end: int, begins: Ints) -> int:
    """Note where the fields of rows begin (fields x rows); where what follows them does, or BAD."""
    fields, rows = begins.shape
    for row in range(rows):
        width, position = length_at(words, position, end, ARRAY)
        if width != fields:
            return BAD
        for field in range(fields):
            begins[field, row] = position
            # Asked here, for a call costs more than passing what most fields are.
            first = byte_at(words, position) if position < end else NEVER
            size = SIZES[first]
            if first == BYTES_8:
                size = 2 + (words[position] >> 8 & 0xFF)
            position = position + size if size > 0 else past(words, position, end)
            if position < 0:
                return BAD
    return position if position <= end else BAD
