"""Steps in the life of support tickets: what starts, stops and escalates their clocks."""

import polars as pl

from service.aggregate.context import FoldContext
from service.aggregate.deltas import Deltas
from service.aggregate.folds.fold import Fold
from service.aggregate.folds.steps import fold_steps

FIELDS = (
    "action",
    "priority",
    "category",
    "level",
    "first_contact",
    "blocking",
    "reason",
)


def fold(events: pl.DataFrame, context: FoldContext) -> Deltas:  # noqa: ARG001  # every fold is asked the same way
    """One step an event."""
    return Deltas(steps=fold_steps("ticket", events, subject="ticket", fields=FIELDS))


TICKET = Fold(family="ticket", fold=fold, names={"category": "ticket_category", "reason": "ticket_reason"})
