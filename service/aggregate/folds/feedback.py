"""Surveys sent and answered: every answer by itself, for of a user's several the newest counts."""

import polars as pl

from service.aggregate.context import FoldContext
from service.aggregate.deltas import Deltas
from service.aggregate.folds.fold import Fold
from service.aggregate.folds.steps import fold_steps

FIELDS = ("survey", "action", "score", "scale", "wave", "about", "category", "sentiment", "themes")


def fold(events: pl.DataFrame, context: FoldContext) -> Deltas:  # noqa: ARG001  # every fold is asked the same way
    """One step an event; its themes once each, in order."""
    themed = events.with_columns(pl.col("themes").list.unique().list.sort())
    return Deltas(steps=fold_steps("feedback", themed, subject="respondent", fields=FIELDS))


FEEDBACK = Fold(
    family="feedback",
    fold=fold,
    names={"survey": "survey", "wave": "wave", "category": "feedback_category"},
    lists={"themes": "theme"},
)
