"""Steps of cases of winning back subscribers: amounts and incentives in minor units, each with its currency."""

import polars as pl

from service.aggregate.context import FoldContext
from service.aggregate.deltas import Deltas
from service.aggregate.folds.fold import Fold
from service.aggregate.folds.steps import fold_steps

FIELDS = (
    "action",
    "amount",
    "amount_currency",
    "incentive",
    "incentive_currency",
    "channel",
    "automated",
)


def fold(events: pl.DataFrame, context: FoldContext) -> Deltas:  # noqa: ARG001  # every fold is asked the same way
    """One step an event."""
    return Deltas(steps=fold_steps("recovery", events, subject="case", fields=FIELDS))


RECOVERY = Fold(family="recovery", fold=fold, names={"channel": "channel"})
