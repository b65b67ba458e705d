"""From scanned cells to polars: the frame of a family."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from service.aggregate.records import fields as kinds
from service.aggregate.records.columns import FIELDS_OF, LAYOUT, PAIR, Field, schema
from service.aggregate.records.dictionary import Dictionary, joined
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


def frames(cells: Cells, *, partitions: int) -> dict[str, pl.DataFrame]:
    """Build the frames of those families that have rows, with the columns of `schema(family)`.

    Maps become lists of (key, value), an empty map or list an empty list, never null. `partitions` is the log's count:
    an event's partition is the first half of its hash modulo it (domain/identity.py).
    Raises UnicodeDecodeError and msgspec.MsgspecError where the bytes are not what the codec writes.
    """
    texts = cells.texts
    known = slice(int(texts.taken[0]))
    words = _texts_at(cells, texts.begins[known], texts.lengths[known])
    counts = cells.rows.sum(axis=0).tolist()
    return {
        family: _frame(cells, words, place, rows, partitions)
        for place, (family, rows) in enumerate(zip(FIELDS_OF, counts, strict=True))
        if rows
    }


def _frame(cells: Cells, words: pl.Series, place: int, rows: int, partitions: int) -> pl.DataFrame:
    family, fields = list(FIELDS_OF.items())[place]
    first = LAYOUT.first[place]
    own = cells.cells[first : first + len(fields), :, :rows]
    columns = {field.name: _column(field, pair, cells, words) for field, pair in zip(fields, own, strict=True)}
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
    return pl.DataFrame([columns[name].alias(name) for name in schema(family)])


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
            return _where(pl.Series(first), second != 0)
        case kinds.FLAG | kinds.OPTIONAL_FLAG:
            return _where(pl.Series(first == 1), first != kinds.NEITHER)
        case _:
            return pl.Series(first)


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
