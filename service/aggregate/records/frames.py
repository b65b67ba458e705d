"""From scanned cells to polars: the frame of a family."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from service.aggregate.records import fields as kinds
from service.aggregate.records.columns import CODE, PAIR, Field, Reading, schema
from service.aggregate.records.dictionary import Dictionary, all_ascii, joined
from service.aggregate.records.msgpack import SPARE, WORD, Words

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_MAP = msgspec.msgpack.Decoder(dict[str, str])
_LIST = msgspec.msgpack.Decoder(list[str])


@dataclass(frozen=True, slots=True)
class Cells:
    """Scanned records: cells by field and row, and what their codes stand for."""

    data: bytes
    words: Words
    heads: Ints
    """Records x HEADS."""
    rows: Ints
    """Records x families: how many rows."""
    cells: Ints
    """Fields of all families x CELLS x events; the rows of a family stand in the order of the records."""
    texts: Dictionary
    packed: Dictionary
    """Maps and lists, as they were packed."""
    reading: Reading


def frames(cells: Cells, *, partitions: int) -> dict[str, pl.DataFrame]:
    """Build the frames of those families that have rows, with the columns of `schema(family)` but for what is left out.

    Maps become lists of (key, value), an empty map or list an empty list, never null. `partitions` is the log's count:
    an event's partition is the first half of its hash modulo it (domain/identity.py).
    Raises UnicodeDecodeError and msgspec.MsgspecError where the bytes are not what the codec writes.
    """
    words = _words(cells)
    return {
        family: _frame(cells, words, family, left_out=cells.reading.left_out.get(family, ()), partitions=partitions)
        for family, rows in zip(cells.reading.fields, cells.rows.sum(axis=0).tolist(), strict=True)
        if rows
    }


def whole_frame(cells: Cells, family: str, *, partitions: int) -> pl.DataFrame:
    """Build the frame of one family with all the columns of `schema(family)`; raises what `frames` does."""
    return _frame(cells, _words(cells), family, left_out=(), partitions=partitions)


def _words(cells: Cells) -> pl.Series:
    """The texts by their codes."""
    texts = cells.texts
    known = slice(int(texts.taken[0]))
    return _texts_at(cells, texts.begins[known], texts.lengths[known])


def _frame(cells: Cells, words: pl.Series, family: str, *, left_out: Collection[str], partitions: int) -> pl.DataFrame:
    fields = cells.reading.fields[family]
    place = list(cells.reading.fields).index(family)
    first, rows = cells.reading.layout.first[place], int(cells.rows[:, place].sum())
    own = cells.cells[first : first + len(fields), :, :rows]
    columns: dict[str, pl.Series] = {}
    codes: list[pl.Series] = []
    coded = cells.reading.coded and not cells.texts.alike[0]
    for field, pair in zip(fields, own, strict=True):
        if field.name not in left_out:
            columns[field.name] = _column(field, pair, cells, words)
            if coded and field.form.kind == kinds.TEXT:
                codes.append(pl.Series(field.name + CODE, pair[0]))
        elif field.form.kind == kinds.ID and not all_ascii(cells.words, *pair):
            # What is not looked at must be text all the same.
            _texts_at(cells, *pair)
    high, low = own[0].view(np.uint64)
    time, receipt = columns["time_us"], columns["received_us"]
    columns |= {
        "hash_hi": pl.Series(high),
        "hash_lo": pl.Series(low),
        "partition": pl.Series((high % np.uint64(partitions)).astype(np.uint16)),
        "time_us": time.zip_with(time.is_not_null(), receipt) if time.null_count() else time,
        "timed": time.is_not_null(),
        "tenant": columns["tenant"].cast(pl.Int32),
    }
    return pl.DataFrame([*(columns[name].alias(name) for name in schema(family, left_out)), *codes])


def _column(field: Field, pair: Ints, cells: Cells, words: pl.Series) -> pl.Series:
    first, second = pair
    match field.form.kind:
        case kinds.TEXT:
            return _of_code(words, first)
        case kinds.PACKED_MAP | kinds.PACKED_LIST:
            return _of_code(_unpacked(cells, np.unique(first), field.form.dtype), first)
        case kinds.ID:
            return _texts_at(cells, first, second)
        case kinds.RAW:
            return _bytes_at(cells, first, second)
        case kinds.OPTIONAL_INTEGER:
            return _where(pl.Series(first.copy()), second != 0)
        case kinds.FLAG | kinds.OPTIONAL_FLAG:
            return _where(pl.Series(first == 1), first != kinds.NEITHER)
        case _:
            # A series shares its memory with an array, and cells are written over by the next scan.
            return pl.Series(first.copy())


def _texts_at(cells: Cells, begins: Ints, lengths: Ints) -> pl.Series:
    """Texts by their places; raises UnicodeDecodeError."""
    size = int(lengths.sum()) + len(begins)
    together = bytearray(size + WORD + SPARE)
    if joined(cells.words, begins, lengths, np.ndarray((size + SPARE,), dtype="<i8", buffer=together, strides=(1,))):
        return pl.Series([together[: size - 1].decode()]).str.split("\0").explode()
    # The door lets no NUL in; should a row have one, it is still the text that it is.
    return pl.Series([piece.decode() for piece in _pieces(cells, begins, lengths)], dtype=pl.String)


def _pieces(cells: Cells, begins: Ints, lengths: Ints) -> Iterator[bytes]:
    for begin, length in zip(begins.tolist(), lengths.tolist(), strict=True):
        yield cells.data[begin : begin + length]


def _bytes_at(cells: Cells, begins: Ints, lengths: Ints) -> pl.Series:
    """Bytes by their places, null where there are none."""
    there = lengths >= 0
    if not there.any():
        return pl.Series([None], dtype=pl.Binary).new_from_index(0, len(begins))
    return _where(pl.Series(list(_pieces(cells, begins, np.maximum(lengths, 0))), dtype=pl.Binary), there)


def _of_code(values: pl.Series, codes: Ints) -> pl.Series:
    if (codes == codes[0]).all():
        return values.new_from_index(int(codes[0]), len(codes))
    return values[codes]  # a tenth of what `gather` takes for few rows


def _unpacked(cells: Cells, codes: Ints, dtype: pl.DataType) -> pl.Series:
    """The maps or lists of these codes at their codes' places; each is decoded once. What is not asked for is empty."""
    is_map = dtype == pl.List(PAIR)
    asked, packed = codes[codes > 0], cells.packed
    values: list[list[Any]] = [[] for _ in range(int(packed.taken[0]))]
    for code, piece in zip(asked.tolist(), _pieces(cells, packed.begins[asked], packed.lengths[asked]), strict=True):
        if is_map:
            values[code] = [{"key": key, "value": value} for key, value in _MAP.decode(piece).items()]
        else:
            values[code] = _LIST.decode(piece)
    return pl.Series(values, dtype=dtype)


def _where(values: pl.Series, there: Flags) -> pl.Series:
    return values if there.all() else values.zip_with(pl.Series(there), pl.Series([None], dtype=values.dtype))
