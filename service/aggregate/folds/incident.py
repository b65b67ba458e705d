"""Steps in the life of incidents: kept as a set, states and durations are derived from it."""

import msgspec
import polars as pl

from service.aggregate.context import FoldContext
from service.aggregate.deltas import STEPS, Deltas
from service.aggregate.folds.fold import Fold
from service.aggregate.folds.merge import distinct_steps

FIELDS = (
    "action",
    "severity",
    "service",
    "title",
    "kind",
    "cause",
    "outage",
    "level",
    "affected_users",
    "action_items",
    "accounts",
)
_encoder = msgspec.json.Encoder(order="sorted")


def fold(events: pl.DataFrame, context: FoldContext) -> Deltas:  # noqa: ARG001  # every fold is asked the same way
    """One step an event, with the fields that it set (a `false` is set, a missing text or list is not)."""
    said = [
        _encoder.encode({name: value for name, value in row.items() if value not in (None, "", [])}).decode()
        for row in events.select(FIELDS).iter_rows(named=True)
    ]
    steps = events.select(
        "tenant", "time_us", "source", "id", "account", pl.lit("incident").alias("family"), subject="incident"
    ).with_columns(pl.Series("fields", said, dtype=pl.String))
    return Deltas(steps=distinct_steps(steps.select(STEPS.names())))


INCIDENT = Fold(family="incident", fold=fold, names={"service": "service", "kind": "incident_kind", "cause": "cause"})
