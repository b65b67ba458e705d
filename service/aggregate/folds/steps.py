"""Steps in the lives of cases: what each said of its subject, kept as a set."""

from collections.abc import Sequence
from typing import Final

import msgspec
import polars as pl

from service.aggregate.deltas import STEPS
from service.aggregate.folds.merge import distinct_steps

_NOTHING: Final = (None, "", list[str]())
_encoder = msgspec.json.Encoder(order="sorted")


def fold_steps(family: str, events: pl.DataFrame, *, subject: str, fields: Sequence[str]) -> pl.DataFrame:
    """STEPS: one an event, with the fields that it set (0 and `false` are set, a missing text or list is not).

    `subject` is the column that names the case. States, durations and limits are derived from steps when they are asked for.
    """
    said = [
        _encoder.encode({name: value for name, value in row.items() if value not in _NOTHING}).decode()
        for row in events.select(fields).iter_rows(named=True)
    ]
    steps = events.select(
        "tenant", "time_us", "source", "id", "account", pl.lit(family).alias("family"), subject=subject
    ).with_columns(pl.Series("fields", said, dtype=pl.String))
    return distinct_steps(steps.select(STEPS.names()))
