"""From the rows of a record to columns: one polars frame a family."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, get_type_hints

import msgspec
import numpy as np
import polars as pl

from service.domain.families.rows import (
    DeliveryRow,
    IncidentRow,
    MeasurementRow,
    ProbeRow,
    RequestRow,
    Row,
    UsageRow,
    UserRow,
)

ROW_TYPES: Final[Mapping[str, type[Row]]] = {
    "usage": UsageRow,
    "user": UserRow,
    "delivery": DeliveryRow,
    "request": RequestRow,
    "probe": ProbeRow,
    "measurement": MeasurementRow,
    "incident": IncidentRow,
}
"""The row of every family of events (rejected ones are no family of events)."""

PAIR = pl.Struct({"key": pl.String(), "value": pl.String()})
HEAD = pl.Schema(
    {
        "hash_hi": pl.UInt64(),
        "hash_lo": pl.UInt64(),
        "partition": pl.UInt16(),
        "tenant": pl.Int32(),
        "source": pl.String(),
        "id": pl.String(),
        "time_us": pl.Int64(),
        "timed": pl.Boolean(),
        "received_us": pl.Int64(),
        "account": pl.String(),
        "backfill": pl.Boolean(),
        "raw": pl.Binary(),
    }
)
"""The columns that every family's frame begins with; `time_us` is resolved: receipt where the event names none."""

_PLAIN: Mapping[Any, pl.DataType] = {
    str: pl.String(),
    int: pl.Int64(),
    int | None: pl.Int64(),
    bool: pl.Boolean(),
    bool | None: pl.Boolean(),
    dict[str, str]: pl.List(PAIR),
    list[str]: pl.List(pl.String()),
}
_HEAD_FIELDS = len(msgspec.structs.fields(Row))
ROWS_AT_ONCE = 128
_as_tuple: Callable[[Row], tuple[Any, ...]] = msgspec.structs.astuple


def _own_fields(row_type: type[Row]) -> dict[str, pl.DataType]:
    hints = get_type_hints(row_type)
    return {field.name: _PLAIN[hints[field.name]] for field in msgspec.structs.fields(row_type)[_HEAD_FIELDS:]}


FIELDS: Final[Mapping[str, Mapping[str, pl.DataType]]] = {family: _own_fields(row) for family, row in ROW_TYPES.items()}
"""By family: its own columns, after the head's."""


def schema(family: str) -> pl.Schema:
    """Name the columns of a family's frame, in order."""
    return pl.Schema({**HEAD, **FIELDS[family]})


def columns(family: str, rows: Sequence[Row], *, partitions: int = 1) -> pl.DataFrame:
    """Build a frame of a family's rows, in their order, with the columns of `schema(family)`.

    Maps become lists of (key, value), an empty map or list an empty list, never null. `partitions` is the
    log's count: an event's partition is the first half of its hash modulo it (domain/identity.py).
    """
    if not rows:
        return pl.DataFrame(schema=schema(family))
    cells = _cells(rows)
    hashes, tenants, sources, ids, times, received, accounts, backfill, raw = cells[:_HEAD_FIELDS]
    halves = np.frombuffer(b"".join(hashes), dtype=">u8").astype(np.uint64).reshape(-1, 2)
    time = pl.Series("time_us", times, dtype=pl.Int64)
    receipt = pl.Series("received_us", received, dtype=pl.Int64)
    made = [
        pl.Series("hash_hi", halves[:, 0]),
        pl.Series("hash_lo", halves[:, 1]),
        pl.Series("partition", (halves[:, 0] % np.uint64(partitions)).astype(np.uint16)),
        _scalars("tenant", pl.Int32(), tenants),
        _scalars("source", pl.String(), sources),
        pl.Series("id", ids, dtype=pl.String),
        time.zip_with(time.is_not_null(), receipt) if time.null_count() else time,
        time.is_not_null().alias("timed"),
        receipt,
        _scalars("account", pl.String(), accounts),
        _scalars("backfill", pl.Boolean(), backfill),
        _scalars("raw", pl.Binary(), raw),
    ]
    own = FIELDS[family].items()
    made += [_series(name, dtype, values) for (name, dtype), values in zip(own, cells[_HEAD_FIELDS:], strict=True)]
    return pl.DataFrame(made)


def _cells(rows: Sequence[Row]) -> list[list[Any]]:
    """Values a column, transposed a few rows at a time (measured, an event of 16 fields: 0.5 µs; a column at a time 0.9).

    All rows at once would leave so many tuples alive that the garbage collector goes through them again and again.
    """
    cells: list[list[Any]] = [[] for _ in msgspec.structs.fields(type(rows[0]))]
    for start in range(0, len(rows), ROWS_AT_ONCE):
        for cell, values in zip(cells, zip(*map(_as_tuple, rows[start : start + ROWS_AT_ONCE]), strict=True), strict=True):
            cell.extend(values)
    return cells


def _series(name: str, dtype: pl.DataType, values: list[Any]) -> pl.Series:
    if isinstance(dtype, pl.List):
        return _lists(name, dtype, values)
    return _scalars(name, dtype, values)


def _scalars(name: str, dtype: pl.DataType, values: list[Any]) -> pl.Series:
    # Defaults and interned texts make many columns one object over and over: comparing is far cheaper than converting.
    if values.count(values[0]) == len(values):
        return pl.Series(name, values[:1], dtype=dtype).new_from_index(0, len(values))
    return pl.Series(name, values, dtype=dtype)


def _lists(name: str, dtype: pl.List, values: list[Any]) -> pl.Series:
    """Build lists of texts, or of pairs from maps; the empty ones, the most, are filled in afterwards."""
    empty = pl.Series(name, [[]], dtype=dtype)
    if not any(values):
        return empty.new_from_index(0, len(values))
    lengths = np.fromiter(map(len, values), dtype=np.int64, count=len(values))
    rows = np.repeat(np.arange(len(values), dtype=np.uint32), lengths)
    if dtype.inner == PAIR:
        flat = pl.DataFrame(
            {
                "row": rows,
                "key": pl.Series([key for item in values for key in item], dtype=pl.String),
                "value": pl.Series([value for item in values for value in item.values()], dtype=pl.String),
            }
        ).select("row", pl.struct("key", "value").alias(name))
    else:
        flat = pl.DataFrame({"row": rows, name: pl.Series([text for item in values for text in item], dtype=pl.String)})
    grouped = flat.group_by("row", maintain_order=True).agg(name)
    every = pl.DataFrame({"row": np.arange(len(values), dtype=np.uint32)}).join(
        grouped, on="row", how="left", maintain_order="left"
    )
    return every[name].fill_null(empty)
