"""Steps in the life of incidents: what they say of severity, cause and whom they touched."""

import polars as pl

from service.aggregate.context import FoldContext
from service.aggregate.deltas import Deltas
from service.aggregate.folds.fold import Fold
from service.aggregate.folds.steps import fold_steps

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


def fold(events: pl.DataFrame, context: FoldContext) -> Deltas:  # noqa: ARG001  # every fold is asked the same way
    """One step an event."""
    return Deltas(steps=fold_steps("incident", events, subject="incident", fields=FIELDS))


INCIDENT = Fold(family="incident", fold=fold, names={"service": "service", "kind": "incident_kind", "cause": "cause"})
