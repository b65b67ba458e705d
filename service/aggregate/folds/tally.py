"""Adding up measures and histograms by integer keys: events to minutes, to quarters, to days, batches to one.

Every step is the same `regroup`: n and totals add, least and greatest win, the newest is the greatest rank,
bins add. All of it is commutative and associative, on integers: numpy's own, Python's where those could overflow.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from service.domain import histogram

Ints = npt.NDArray[np.int64]
Exact = npt.NDArray[Any]
"""Int64, or objects (Python's integers) where a sum could overflow."""

_INT64: Final = np.iinfo(np.int64)
_SAFE: Final = float(1 << 62)
_OPERATIONS: Final[dict[str, np.ufunc]] = {
    "n": np.add,
    "measured": np.add,
    "total": np.add,
    "least": np.minimum,
    "greatest": np.maximum,
    "newest": np.maximum,
}
_NEUTRAL: Final[dict[np.ufunc, int]] = {np.add: 0, np.minimum: _INT64.max, np.maximum: _INT64.min}
"""What changes nothing."""
MOST_GAPS: Final = 8
"""So many possible keys for each that there is have places of their own in a table."""
_BIN_SPAN: Final = 1 << 14
"""More than there are bins of both signs: a row and a bin together make one integer."""


@dataclass(frozen=True, slots=True)
class Bins:
    """How often each bin occurs: for each entry the row of its tally, the bin, the count."""

    row: Ints
    bin: Ints
    count: Ints


@dataclass(frozen=True, slots=True)
class Tally:
    """Measures by key. `measures` has n, total and, as they apply, measured, least, greatest and newest (a rank).

    `measured` is of how many rows something was measured: where it is 0, least and greatest mean nothing.
    """

    keys: Ints
    measures: dict[str, Exact]
    bins: Bins | None


def regroup(tally: Tally, keys: Ints) -> Tally:
    """Add up by new keys, one for each row; the outcome's keys ascend, each once."""
    if (keys[1:] > keys[:-1]).all():
        return Tally(keys, tally.measures, tally.bins if tally.bins is None else _add_bins(tally.bins.row, tally.bins))
    distinct, place = _dense_places(keys)
    measures = {name: _reduced(_OPERATIONS[name], column, place, len(distinct)) for name, column in tally.measures.items()}
    return Tally(distinct, measures, None if tally.bins is None else _add_bins(place[tally.bins.row], tally.bins))


def _dense_places(keys: Ints) -> tuple[Ints, Ints]:
    """The distinct keys, ascending, and for each key its place among them: without sorting where they lie close together."""
    least, greatest = int(keys.min()), int(keys.max())
    if greatest - least > MOST_GAPS * len(keys):
        distinct, place = np.unique(keys, return_inverse=True)
        return distinct, place.astype(np.int64, copy=False)
    there = np.zeros(greatest - least + 1, dtype=np.int64)
    there[keys - least] = 1
    return np.flatnonzero(there) + least, (np.cumsum(there) - 1)[keys - least]


def _reduced(operation: np.ufunc, column: Exact, place: Ints, places: int) -> Exact:
    """What the values at each place come to; each place has one at least."""
    if column.dtype == object:
        order = np.argsort(place, kind="stable")
        reduced: Exact = operation.reduceat(column[order], np.searchsorted(place[order], np.arange(places)))
        return reduced
    made = np.full(places, _NEUTRAL[operation], dtype=np.int64)
    operation.at(made, place, column)
    return made


def together(tallies: list[Tally]) -> Tally:
    """Tallies with the same measures one below the other."""
    first = tallies[0]
    measures = {name: np.concatenate([tally.measures[name] for tally in tallies]) for name in first.measures}
    offsets = np.cumsum([0, *(len(tally.keys) for tally in tallies)])
    parts = [(offset, tally.bins) for offset, tally in zip(offsets, tallies, strict=False) if tally.bins is not None]
    bins = None
    if parts:
        bins = Bins(
            row=np.concatenate([part.row + offset for offset, part in parts]),
            bin=np.concatenate([part.bin for _, part in parts]),
            count=np.concatenate([part.count for _, part in parts]),
        )
    return Tally(np.concatenate([tally.keys for tally in tallies]), measures, bins)


def histograms(tally: Tally) -> pl.Series:
    """A packed histogram a row; null for a row with no bins."""
    rows = len(tally.keys)
    if tally.bins is None or not len(tally.bins.row):
        return pl.Series([None], dtype=pl.List(pl.Int64)).new_from_index(0, rows)
    entry, counts = histogram.entries(tally.bins.count)
    row = pl.Series("row", tally.bins.row[entry]).set_sorted()
    packed = pl.DataFrame([row, pl.Series("packed", (tally.bins.bin[entry] << histogram.COUNT_BITS) | counts)])
    lists = packed.group_by("row", maintain_order=True).agg("packed")
    if len(lists) == rows:
        return lists["packed"]
    return pl.DataFrame({"row": np.arange(rows)}).join(lists, on="row", how="left", maintain_order="left")["packed"]


def weighted(value: pl.Series, count: pl.Series) -> Exact:
    """Value times count (null: 0), in Int64 where not even the sum of all magnitudes can overflow."""
    values, counts = value.fill_null(0), count.to_numpy()
    if value.dtype == pl.Int64:
        narrow = values.to_numpy()
        # The floats only choose the type, with a margin of two: they decide no figure.
        if np.abs(narrow.astype(np.float64) * counts).sum() < _SAFE:
            product: Exact = narrow * counts
            return product
    wide: Exact = exact(values) * counts.astype(object)
    return wide


def exact(values: pl.Series) -> Exact:
    """A series of integers as Python's."""
    return np.array([*values.to_list(), None], dtype=object)[:-1]


def narrowed(values: pl.Series) -> Exact:
    """An Int128 series without nulls as Int64 where even the sum of its magnitudes fits, else as Python's integers."""
    if (values.cast(pl.Float64).abs().sum() or 0.0) < _SAFE:
        narrow: Ints = values.cast(pl.Int64).to_numpy()
        return narrow
    return exact(values)


def extremes(value: pl.Series) -> tuple[Exact, Exact]:
    """Values as least and greatest; null is what never wins (Int64 only)."""
    if value.dtype != pl.Int64:
        wide = exact(value)
        return wide, wide
    if not value.null_count():
        plain = value.to_numpy()
        return plain, plain
    return value.fill_null(int(_INT64.max)).to_numpy(), value.fill_null(int(_INT64.min)).to_numpy()


def by_newness(rows: pl.DataFrame) -> tuple[pl.DataFrame, Ints]:
    """Rows in the order of all their columns, the newest last, and for each row its rank, its place there."""
    ordered = rows.with_row_index("_row").sort(rows.columns)
    ranks = np.empty(len(rows), dtype=np.int64)
    ranks[ordered["_row"].to_numpy()] = np.arange(len(rows))
    return ordered.drop("_row"), ranks


def dense(values: Ints) -> tuple[Ints, Ints]:
    """Small codes for integers, ascending with them, and the value of each code."""
    if not values.size:
        return values, values
    least, greatest = int(values.min()), int(values.max())
    if greatest - least <= len(values):
        return values - least, np.arange(least, greatest + 1, dtype=np.int64)
    distinct, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.int64, copy=False), distinct


def _add_bins(row: Ints, bins: Bins) -> Bins:
    """Add up the counts of equal (row, bin); ascending."""
    codes = row * _BIN_SPAN + (bins.bin + _BIN_SPAN // 2)
    if (codes[1:] > codes[:-1]).all():
        return Bins(row, bins.bin, bins.count)
    order = np.argsort(codes)
    ordered = codes[order]
    is_first = np.ones(len(codes), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    starts = np.flatnonzero(is_first)
    if not starts.size:
        return bins
    distinct = ordered[starts]
    return Bins(
        row=distinct // _BIN_SPAN,
        bin=distinct % _BIN_SPAN - _BIN_SPAN // 2,
        count=np.add.reduceat(bins.count[order], starts),
    )
