"""How often users use what is tracked: uses by user and local week, of declared features and of anything."""

from typing import Final

import polars as pl

from service.aggregate.bits import ANY_FEATURE
from service.aggregate.deltas import FREQUENCY, FREQUENCY_KEYS
from service.aggregate.folds.versions import Versions

ANYTHING: Final = "*"
"""Declared in a feature's place: every use counts that makes active."""
DAYS_A_WEEK: Final = 7
_MONDAY: Final = 4
"""1970-01-05: the first Monday since 1970."""


def weekly_uses(uses: pl.DataFrame, valid: Versions, quantity: pl.Expr) -> pl.DataFrame:
    """FREQUENCY of uses whose version tracks their feature, or anything; `quantity` gives `total`, in units of 1e-9.

    A feature that is declared to make nobody active counts for itself alone.
    """
    tracked = [(place, name) for place, config in enumerate(valid.configs) for name in config.frequency_features]
    if not tracked or uses.is_empty():
        return pl.DataFrame(schema=FREQUENCY)
    seen = uses.select(
        "tenant",
        "account",
        "user",
        "feature",
        week(valid.days(uses["time_us"]).alias("day")),
        valid.series(),
        quantity.cast(pl.Int128).alias("uses"),
    )
    named = valid.declared({"feature": pl.String()}, [each for each in tracked if each[1] != ANYTHING])
    parts = [seen.join(named, on=["version", "feature"], how="semi")]
    anything = [place for place, name in tracked if name == ANYTHING]
    if anything:
        ignored = [(place, name) for place in anything for name in valid.configs[place].ignore_features]
        of_any = seen.filter(pl.col("version").is_in(anything))
        counting = of_any.join(valid.declared({"feature": pl.String()}, ignored), on=["version", "feature"], how="anti")
        parts.append(counting.with_columns(feature=pl.lit("")))
    return added_uses(pl.concat(parts).select(FREQUENCY.names()))


def added_uses(uses: pl.DataFrame) -> pl.DataFrame:
    """FREQUENCY with equal keys added up."""
    return uses.group_by(FREQUENCY_KEYS).agg(pl.col("uses").sum())


def frequency_rows(uses: pl.DataFrame, users: pl.DataFrame, features: pl.DataFrame) -> pl.DataFrame:
    """The rows of its stage: users by ordinal, features by id (0: any)."""
    ids = features.select("tenant", "feature", "id")
    numbered = uses.join(users.select("tenant", "user", "ordinal"), on=["tenant", "user"]).join(
        ids, on=["tenant", "feature"], how="left"
    )
    rows = numbered.select("tenant", pl.col("id").fill_null(ANY_FEATURE).alias("feature"), "week", "account", "ordinal", "uses")
    return rows.sort("tenant", "feature", "week", "account", "ordinal")


def week(day: pl.Series) -> pl.Series:
    """The Monday of each day's week, both since 1970."""
    monday = (day.cast(pl.Int64) - _MONDAY) // DAYS_A_WEEK * DAYS_A_WEEK + _MONDAY
    return monday.cast(pl.Int32).alias("week")
