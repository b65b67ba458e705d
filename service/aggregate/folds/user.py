"""Who users are: dated statuses, newest traits, earliest milestones."""

import polars as pl

from service.aggregate.context import FoldContext
from service.aggregate.deltas import MILESTONES, STATES, USERS, Deltas
from service.aggregate.folds.fold import Fold
from service.aggregate.folds.merge import earliest_milestones, newest_states

KIND = "user"


def fold(events: pl.DataFrame, context: FoldContext) -> Deltas:  # noqa: ARG001  # every fold is asked the same way
    """Statuses (every one with its date), traits (the newest) and milestones (the earliest) of users."""
    about = events.select(
        "tenant",
        "account",
        "time_us",
        "source",
        "id",
        "status",
        "milestone",
        "traits",
        pl.lit(KIND).alias("kind"),
        who="user",
    )
    return Deltas(
        users=events.select(USERS.names()).unique(),
        states=newest_states(pl.concat([_statuses(about), _traits(about)])),
        milestones=earliest_milestones(about.filter(pl.col("milestone") != "").select(MILESTONES.names())),
    )


def _statuses(about: pl.DataFrame) -> pl.DataFrame:
    return (
        about.filter(pl.col("status") != "")
        .with_columns(pl.lit("status").alias("field"), pl.lit(value=True).alias("dated"), value="status")
        .select(STATES.names())
    )


def _traits(about: pl.DataFrame) -> pl.DataFrame:
    pairs = about.filter(pl.col("traits").list.len() > 0).explode("traits").unnest("traits")
    return pairs.with_columns(
        field=pl.concat_str(pl.lit("trait."), "key"),
        dated=pl.lit(value=False),
    ).select(STATES.names())


USER = Fold(family="user", fold=fold, names={"milestone": "milestone"}, maps={"traits": "trait"})
