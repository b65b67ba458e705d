"""Any other number: counts, exact sums, distribution and the newest value of meters."""

import polars as pl

from service.aggregate.context import FoldContext
from service.aggregate.deltas import Deltas
from service.aggregate.folds.fold import Fold
from service.aggregate.folds.pairs import pairs_text
from service.aggregate.folds.slo import judged_facts

NANO = 1_000_000_000
DIMS = ("meter", "unit", "currency", "attribute.*")
_NARROW_WHOLE = 9_000_000_000
"""A whole part below this and its rest fit an Int64 in units of 1e-9."""


def fold(events: pl.DataFrame, context: FoldContext) -> Deltas:
    """Facts of the kind `meter`, in units of 1e-9; an event stands for `count` equal values."""
    observed = events.select(
        "tenant",
        "account",
        "time_us",
        "source",
        "id",
        "meter",
        unit=pl.when("is_currency").then(pl.lit("")).otherwise("unit"),
        currency=pl.when("is_currency").then("unit").otherwise(pl.lit("")),
        n="count",
        value=_value(events),
    ).with_columns(pairs_text(events["attributes"]).alias("attribute.*"))
    return judged_facts("meter", events, observed, DIMS, context, newest=True)


def _value(events: pl.DataFrame) -> pl.Expr:
    """The value in units of 1e-9: Int64 where all fit, else Int128."""
    fits = events.select(pl.col("whole").is_between(-_NARROW_WHOLE, _NARROW_WHOLE).all()).item()
    dtype = pl.Int64 if fits else pl.Int128
    return pl.col("whole").cast(dtype) * pl.lit(NANO, dtype) + pl.col("nano").cast(dtype)


MEASUREMENT = Fold(
    family="measurement",
    fold=fold,
    names={"meter": "meter", "unit": "unit"},
    maps={"attributes": "attribute"},
)
