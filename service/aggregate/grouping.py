"""Equal rows found by compiled loops, where every column is a number or stands beside the codes of its texts."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from service.aggregate.records.columns import CODE
from service.aggregate.records.compiling import compiled

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[Any]
"""Of integers or flags."""

NULL: Final = np.iinfo(np.int64).min
"""In place of a number that is not there."""
FEW: Final = 1 << 16
"""Of so many values, or as many as there are rows, each has its place in a table."""
MOST_VALUES: Final = 1 << 62
_ODD: Final = 0x2545F4914F6CDD1D


def codes(frame: pl.DataFrame, *names: str) -> list[str]:
    """Name the columns that hold codes of these ones, as far as there are any."""
    return [name + CODE for name in names if name + CODE in frame.columns]


def without_codes(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame without columns of codes: those of different batches mean different texts."""
    return frame[[name for name in frame.columns if not name.endswith(CODE)]]


def grouped_rows(frame: pl.DataFrame) -> tuple[pl.DataFrame, Ints]:
    """The distinct rows, without codes, and for each row the number of its own."""
    firsts, of_row = equal_rows(frame)
    return some_rows(without_codes(frame), firsts), of_row


def some_rows(frame: pl.DataFrame, rows: Ints) -> pl.DataFrame:
    """The rows at these places; all of them in their order are the frame as it is, whose texts are dear to gather."""
    return frame if len(rows) == len(frame) and bool((rows == np.arange(len(frame))).all()) else frame[rows]


def first_rows(frame: pl.DataFrame) -> Ints:
    """The first one of each set of equal rows."""
    return equal_rows(frame)[0]


def equal_rows(frame: pl.DataFrame) -> tuple[Ints, Ints]:
    """The first one of each set of equal rows, and for each row the number of its set."""
    names = [name for name in frame.columns if not name.endswith(CODE)]
    keys = [_numbers(frame, name) for name in names]
    known = [key for key in keys if key is not None]
    if len(known) == len(keys):
        of_row, firsts = numbered([key for key in known if key.size], len(frame))
        return firsts, of_row
    members = frame[names].with_row_index("_row").group_by(names).agg("_row")["_row"]
    of_row = np.empty(len(frame), dtype=np.int64)
    of_row[members.explode().to_numpy()] = np.repeat(np.arange(len(members)), members.list.len().to_numpy())
    return members.list.first().to_numpy().astype(np.int64), of_row


def prepare() -> None:
    """Have everything compiled."""
    numbers = np.arange(2)
    of_polars = pl.Series(numbers).to_numpy()  # not to be written to: another type to compile for
    numbered([numbers, of_polars], 2)
    numbered([np.array([0, FEW])], 2)


def numbered(columns: Sequence[Numbers], rows: int) -> tuple[Ints, Ints]:
    """For each row of these columns the number of its group of equal ones, and of each group the first row.

    Columns that fit into one integer together are compared as that; where few values are possible, each has a place of its own.
    """
    group, firsts = np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int64)
    packed, values = _packed(columns, rows)
    if packed is not None and values <= max(FEW, rows):
        return group, firsts[: _groups_of_few(packed, np.full(values, -1, dtype=np.int64), group, firsts)]
    keys: Ints = np.stack(columns, axis=1, dtype=np.int64) if packed is None else packed.reshape(-1, 1)
    table = np.full(1 << max(4, (2 * rows).bit_length()), -1, dtype=np.int64)
    return group, firsts[: groups(keys, table, group, firsts)]


def _packed(columns: Sequence[Numbers], rows: int) -> tuple[Ints | None, int]:
    """The columns as digits of one integer, from 0 on, and how many values it may have; None where that is more than fit."""
    packed, values = np.zeros(rows, dtype=np.int64), 1
    for column in columns if rows else ():
        least = int(column.min())
        span = int(column.max()) - least + 1
        values *= span
        if values > MOST_VALUES:
            return None, values
        if span > 1:
            _add_digit(packed, np.ascontiguousarray(column, dtype=np.int64), span, least)
    return packed, values


def _numbers(frame: pl.DataFrame, name: str) -> Ints | None:
    """Numbers that are equal where the column's values are, of no length where all are; None: there are none at hand."""
    column = frame[name + CODE] if name + CODE in frame.columns else frame[name]
    if column.dtype.is_integer() or column.dtype == pl.Boolean:
        wide = column.cast(pl.Int64)
        # Whatever is asked of polars as a query is handed to a thread of its own: nothing is asked without need.
        numbers: Ints = (wide.fill_null(NULL) if wide.null_count() else wide).to_numpy()
        return numbers
    if column.is_empty() or (column.dtype == pl.String and not column.null_count() and (column == column.first()).all()):
        return np.empty(0, dtype=np.int64)
    return None


@compiled
def _add_digit(packed: Ints, column: Ints, span: int, least: int) -> None:
    """Add a column as the lowest digit, of `span` values from `least` on, in one pass."""
    for row in range(len(packed)):
        packed[row] = packed[row] * span + (column[row] - least)


@compiled
def _groups_of_few(keys: Ints, table: Ints, group: Ints, firsts: Ints) -> int:
    """Number equal keys alike as `groups` does; `table` has a place for each value that a key may have, all -1."""
    found = 0
    for row in range(len(keys)):
        number = table[keys[row]]
        if number < 0:
            number = found
            table[keys[row]], firsts[found] = found, row
            found += 1
        group[row] = number
    return found


@compiled
def groups(keys: Ints, table: Ints, group: Ints, firsts: Ints) -> int:
    """Number equal keys alike, from 0 on in the order of their first rows, which go to `firsts`; how many there are.

    `table` is for hashes: a power of two in length, at least as many as there are keys and one, all -1.
    """
    mask = len(table) - 1
    found = 0
    for row in range(len(keys)):
        mixed = 0
        for column in range(keys.shape[1]):
            mixed = (mixed ^ keys[row, column]) * _ODD
            mixed ^= mixed >> 29
        slot = mixed & mask
        while table[slot] >= 0 and not _alike(keys, firsts[table[slot]], row):
            slot = (slot + 1) & mask
        if table[slot] < 0:
            table[slot], firsts[found] = found, row
            found += 1
        group[row] = table[slot]
    return found


@compiled
def _alike(keys: Ints, one: int, other: int) -> bool:
    for column in range(keys.shape[1]):  # noqa: SIM110  # generators are not compiled
        if keys[one, column] != keys[other, column]:
            return False
    return True
