"""First uses that are declared to be kept: milestones of users and accounts that come from what they use."""

import polars as pl

from service.aggregate.deltas import MILESTONES
from service.aggregate.folds.merge import earliest_milestones
from service.aggregate.folds.versions import Versions

_REACHED = [name for name in MILESTONES if name not in {"time_us", "source", "id"}]


def first_uses(uses: pl.DataFrame, valid: Versions) -> pl.DataFrame:
    """MILESTONES: of every first use that is declared for the time of a use, the earliest of these uses."""
    if not any(config.first_uses for config in valid.configs):
        return MILESTONES.to_frame()
    named = [
        (place, feature, each.milestone, each.of_account)
        for place, config in enumerate(valid.configs)
        for each in config.first_uses
        for feature in each.features
    ]
    anything = [
        (place, each.milestone, each.of_account)
        for place, config in enumerate(valid.configs)
        for each in config.first_uses
        if not each.features
    ]
    ignored = [(place, feature) for place, config in enumerate(valid.configs) for feature in config.ignore_features]
    seen = uses.select("tenant", "account", "user", "feature", "time_us", "source", "id", valid.series())
    columns = {"milestone": pl.String(), "of_account": pl.Boolean()}
    of_features = seen.join(valid.declared({"feature": pl.String(), **columns}, named), on=["version", "feature"])
    counting = seen.join(valid.declared({"feature": pl.String()}, ignored), on=["version", "feature"], how="anti")
    of_anything = counting.join(valid.declared(columns, anything), on="version")
    return _earliest(pl.concat([of_features, of_anything]))


def _earliest(matched: pl.DataFrame) -> pl.DataFrame:
    """The earliest by (time, source, id): few are left once all but the earliest times are gone."""
    of_account = pl.col("of_account")
    reached = matched.filter(~of_account | (pl.col("account") != "")).select(
        "tenant",
        pl.when(of_account).then(pl.lit("account")).otherwise(pl.lit("user")).alias("kind"),
        "milestone",
        pl.when(of_account).then("account").otherwise("user").alias("who"),
        "account",
        "time_us",
        "source",
        "id",
    )
    least = reached.group_by(_REACHED).agg(pl.col("time_us").min())
    return earliest_milestones(reached.join(least, on=[*_REACHED, "time_us"], how="semi").select(MILESTONES.names()))
