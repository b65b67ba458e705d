"""Columns as rows of PostgreSQL's binary COPY, written by compiled loops.

The form: postgresql.org/docs/current/sql-copy.html, "Binary Format"; of a type's bytes: its `_recv` function in
Postgres's sources (int8_recv, numeric_recv, textrecv, array_recv, varbit_recv).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from service.aggregate.records.compiling import compiled
from service.aggregate.records.msgpack import PADDING, SPARE, WORD, Words, words_of

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# What a column is in Postgres, and what its two cells hold.
INT: Final = 0  # the number
BIGINT: Final = 1
NUMERIC: Final = 2  # the lower and the upper half of a whole number
TEXT: Final = 3  # where it begins in the bytes, and how long it is
BITS: Final = 4  # the same, of a bit string of whole bytes
BIGINTS: Final = 5  # where it begins among the listed numbers, and how many there are

_KINDS: Final[Mapping[Any, int]] = {
    pl.Int32: INT,
    pl.Int64: BIGINT,
    pl.Int128: NUMERIC,
    pl.String: TEXT,
    pl.Binary: BITS,
    pl.List(pl.Int64): BIGINTS,
}
_MOST_BYTES: Final = {INT: 4, BIGINT: 8, NUMERIC: 28, TEXT: 0, BITS: 4, BIGINTS: 20}
"""Of one value, besides what its second cell counts; a number of 128 bits has up to ten digits of four decimals."""
_A_UNIT: Final = {TEXT: 1, BITS: 1, BIGINTS: 12}
"""Bytes for each that the second cell counts."""

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"

_LENGTH: Final = 4
_COUNT: Final = 2
_BIGINT_OID: Final = 20
_NEGATIVE: Final = 0x4000
_DIGIT: Final = 10_000
_MOST_DIGITS: Final = 10
_LIMB: Final = 0xFFFFFFFF
_BYTES: Final = np.uint64(0x00FF00FF00FF00FF)
_PAIRS: Final = np.uint64(0x0000FFFF0000FFFF)


class _Column(NamedTuple):
    kind: int
    first: Ints
    second: Ints
    there: Flags
    data: bytes = b""
    listed: Ints = np.empty(0, dtype=np.int64)


def binary_rows(frame: pl.DataFrame) -> bytes:
    """The rows of a frame as COPY … (format binary) takes them.

    Int32 becomes int, Int64 bigint, Int128 numeric, String text, Binary a bit string, List(Int64) bigint[]; nulls are nulls.
    """
    columns = list(_placed(_column(series) for series in frame.iter_columns()))
    size = sum(_most_bytes(column) for column in columns) + (_COUNT + _LENGTH * len(columns)) * len(frame)
    out = bytearray(HEADER) + bytearray(size + WORD + SPARE)
    words = np.ndarray((size + SPARE,), dtype="<i8", buffer=out, offset=len(HEADER), strides=(1,))
    end = len(HEADER) + written(
        np.array([column.kind for column in columns]),
        np.stack([column.first for column in columns]),
        np.stack([column.second for column in columns]),
        np.stack([column.there for column in columns]),
        words_of(b"".join([*(column.data for column in columns), PADDING])),
        np.concatenate([column.listed for column in columns]),
        words,
    )
    out[end:] = TRAILER
    return bytes(out)


def prepare() -> None:
    """Have everything compiled."""
    binary_rows(pl.DataFrame({"number": [1]}))


def _placed(columns: Iterator[_Column]) -> Iterator[_Column]:
    """Columns whose places count from the beginning of all bytes, and of all listed numbers."""
    bytes_before = listed_before = 0
    for column in columns:
        before = listed_before if column.kind == BIGINTS else bytes_before
        yield column._replace(first=column.first + before) if before and column.kind in _A_UNIT else column
        bytes_before += len(column.data)
        listed_before += len(column.listed)


def _most_bytes(column: _Column) -> int:
    counted = int(column.second.sum()) * _A_UNIT[column.kind] if column.kind in _A_UNIT else 0
    return _MOST_BYTES[column.kind] * len(column.first) + counted


def _column(series: pl.Series) -> _Column:
    kind = _KINDS[series.dtype]
    there = series.is_not_null().to_numpy()
    nothing = np.zeros(len(series), dtype=np.int64)
    if not there.any():
        return _Column(kind, nothing, nothing, there)
    if kind in (INT, BIGINT):
        return _Column(kind, series.fill_null(0).cast(pl.Int64).to_numpy(), nothing, there)
    if kind == NUMERIC:
        return _Column(kind, *_halves(series.fill_null(0)), there)
    if kind == BIGINTS:
        lengths = _lengths(series.list.len())
        return _Column(kind, _begins(lengths), lengths, there, listed=series.filter(pl.Series(lengths > 0)).explode().to_numpy())
    lengths = _lengths(series.str.len_bytes() if kind == TEXT else series.bin.size())
    held = series.drop_nulls().to_list()
    return _Column(kind, _begins(lengths), lengths, there, "".join(held).encode() if kind == TEXT else b"".join(held))


def _lengths(counted: pl.Series) -> Ints:
    lengths: Ints = counted.fill_null(0).cast(pl.Int64).to_numpy()
    return lengths


def _begins(lengths: Ints) -> Ints:
    begins: Ints = np.cumsum(lengths) - lengths
    return begins


def _halves(numbers: pl.Series) -> tuple[Ints, Ints]:
    """The lower and the upper 64 bits of whole numbers."""
    narrow = numbers.cast(pl.Int64, strict=False)
    low = narrow.fill_null(0).to_numpy().copy()
    high = low >> 63
    for row in np.flatnonzero(narrow.is_null().to_numpy()).tolist():
        both = int(numbers[row]).to_bytes(16, "little", signed=True)
        low[row], high[row] = np.frombuffer(both, dtype="<i8")
    return low, high


@compiled
def written(kinds: Ints, first: Ints, second: Ints, there: Flags, data: Words, listed: Ints, out: Words) -> int:
    """Write rows (columns x rows of cells) to the words `out`, which overlap; how many bytes."""
    columns, rows = first.shape
    digits = np.zeros(_MOST_DIGITS, dtype=np.int64)
    place = 0
    for row in range(rows):
        place = _put(out, place, columns, _COUNT)
        for column in range(columns):
            if not there[column, row]:
                place = _put(out, place, -1, _LENGTH)
                continue
            kind, one, other = kinds[column], first[column, row], second[column, row]
            if kind == INT:
                place = _put(out, _put(out, place, 4, _LENGTH), one, 4)
            elif kind == BIGINT:
                place = _put(out, _put(out, place, 8, _LENGTH), one, 8)
            elif kind == NUMERIC:
                place = _numeric(out, place, one, other, digits)
            elif kind == BIGINTS:
                place = _bigints(out, place, listed, one, other)
            else:
                if kind == BITS:
                    place = _put(out, _put(out, place, other + _LENGTH, _LENGTH), 8 * other, _LENGTH)
                else:
                    place = _put(out, place, other, _LENGTH)
                for offset in range(0, other, WORD):
                    out[place + offset] = data[one + offset]
                place += other
    return place


@compiled
def _put(out: Words, place: int, value: int, size: int) -> int:
    """Write an integer big-endian; what lies behind it is written over. Where the next one goes."""
    word = np.uint64(value << (64 - 8 * size))
    word = ((word >> np.uint64(8)) & _BYTES) | ((word & _BYTES) << np.uint64(8))
    word = ((word >> np.uint64(16)) & _PAIRS) | ((word & _PAIRS) << np.uint64(16))
    out[place] = np.int64((word >> np.uint64(32)) | (word << np.uint64(32)))
    return place + size


@compiled
def _bigints(out: Words, place: int, listed: Ints, begin: int, count: int) -> int:
    """An array of one dimension; of none where it is empty."""
    place = _put(out, place, 20 + 12 * count if count > 0 else 12, _LENGTH)
    place = _put(out, place, 1 if count > 0 else 0, 4)  # dimensions
    place = _put(out, place, 0, 4)  # no nulls
    place = _put(out, place, _BIGINT_OID, 4)
    if count > 0:
        place = _put(out, _put(out, place, count, 4), 1, 4)
    for number in range(begin, begin + count):
        place = _put(out, _put(out, place, 8, _LENGTH), listed[number], 8)
    return place


@compiled
def _numeric(out: Words, place: int, low: int, high: int, digits: Ints) -> int:
    """A whole number in digits of four decimals, the greatest first."""
    negative = high < 0
    if negative:
        low, high = -low, ~high + (1 if low == 0 else 0)
    count = _digits(low, high, digits)
    place = _put(out, place, 8 + 2 * count, _LENGTH)
    place = _put(out, place, count, 2)
    place = _put(out, place, max(count - 1, 0), 2)  # the weight of the first digit
    place = _put(out, place, _NEGATIVE if negative else 0, 2)
    place = _put(out, place, 0, 2)  # decimals behind the point
    for number in range(count - 1, -1, -1):
        place = _put(out, place, digits[number], 2)
    return place


@compiled
def _digits(low: int, high: int, digits: Ints) -> int:
    """The digits of an unsigned number of two halves, the least first; how many."""
    count = 0
    if high == 0 and low >= 0:
        while low > 0:
            digits[count] = low % _DIGIT
            low //= _DIGIT
            count += 1
        return count
    a, b, c, d = (high >> 32) & _LIMB, high & _LIMB, (low >> 32) & _LIMB, low & _LIMB
    while a | b | c | d > 0:
        a, rest = a // _DIGIT, a % _DIGIT
        rest = rest << 32 | b
        b, rest = rest // _DIGIT, rest % _DIGIT
        rest = rest << 32 | c
        c, rest = rest // _DIGIT, rest % _DIGIT
        rest = rest << 32 | d
        d, digits[count] = rest // _DIGIT, rest % _DIGIT
        count += 1
    return count
