"""How tracked things stand: statuses, colours, dates and money of risks, actions and blockers."""

import polars as pl

from service.aggregate.context import FoldContext
from service.aggregate.deltas import Deltas
from service.aggregate.folds.fold import Fold
from service.aggregate.folds.steps import fold_steps

FIELDS = (
    "kind",
    "status",
    "title",
    "probability",
    "impact",
    "priority",
    "due",
    "value",
    "value_currency",
    "owner",
)


def fold(events: pl.DataFrame, context: FoldContext) -> Deltas:  # noqa: ARG001  # every fold is asked the same way
    """One step an event."""
    return Deltas(steps=fold_steps("item", events, subject="item", fields=FIELDS))


ITEM = Fold(family="item", fold=fold, names={"kind": "item_kind", "owner": "owner"})
