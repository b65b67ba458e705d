"""What users reached with a batch, by local day: milestones, statuses, first uses; and the rows of bits that say so."""

from typing import Final

import polars as pl

from service.aggregate.bits import chunks
from service.aggregate.context import FoldContext
from service.aggregate.deltas import REACHED, Deltas
from service.aggregate.folds.versions import versions
from service.domain.foldconfig import FIRST
from service.store.reached import DAY, FIRST_USE, GIVEN_STATUS, MONTH, STATUS

_KEY: Final = ["tenant", "account", "who", "milestone", "time_us"]


def reached_by(deltas: Deltas, context: FoldContext) -> pl.DataFrame:
    """REACHED of a batch: the milestones and statuses of its users, with their local days."""
    if deltas.milestones.is_empty() and deltas.states.is_empty():
        return deltas.reached
    of_users = pl.col("kind") == "user"
    # What is kept for funnels alone is read one by one: nobody asks how many have reached it.
    milestones = deltas.milestones.filter(of_users & ~pl.col("milestone").str.starts_with(FIRST)).select(_KEY)
    statuses = deltas.states.filter(of_users & pl.col("dated") & (pl.col("field") == "status"))
    both = pl.concat([milestones, statuses.with_columns(milestone=pl.lit(STATUS)).select(_KEY)])
    if both.is_empty():
        return deltas.reached
    day = versions(both["tenant"], both["time_us"], context.configs).days(both["time_us"]).alias("day")
    return both.rename({"who": "user"}).with_columns(day).select(REACHED.names()).unique()


def reached_rows(
    reached: pl.DataFrame, whats: pl.DataFrame, *, users: pl.DataFrame, seats: pl.DataFrame, first: dict[str, pl.DataFrame]
) -> pl.DataFrame | None:
    """Rows of the table `reached`; None where nothing is.

    `whats` has (tenant, milestone → id), `users` and `seats` their ordinals, `first` by population those
    (tenant, ordinal, day) whose first day of use is new or earlier than it was.
    """
    parts = [_placed(frame, population, what=pl.lit(FIRST_USE, pl.Int64)) for population, frame in first.items()]
    if len(reached):
        is_status = pl.col("milestone") == STATUS
        told = reached.join(whats, on=["tenant", "milestone"], how="left").with_columns(
            id=pl.when(is_status).then(pl.lit(GIVEN_STATUS, pl.Int64)).otherwise("id")
        )
        parts.append(_placed(told.join(users, on=["tenant", "user"]), "user", what=pl.col("id")))
        parts.append(_placed(told.join(seats, on=["tenant", "account", "user"]), "seat", what=pl.col("id")))
    active = pl.concat(parts)
    if active.is_empty():
        return None
    month = pl.col("day").cast(pl.Date).dt.month_start().cast(pl.Int32)
    spans = [(DAY, active), (MONTH, active.with_columns(day=month))]
    return pl.concat(_bits(frame, span) for span, frame in spans)


def _placed(frame: pl.DataFrame, population: str, *, what: pl.Expr) -> pl.DataFrame:
    """Ordinals as `chunks` takes them."""
    return frame.select(
        pl.col("tenant").cast(pl.Int32),
        pl.lit(population).alias("population"),
        what.alias("feature"),
        pl.col("day").cast(pl.Int32),
        pl.col("ordinal").cast(pl.Int64),
        pl.lit(value=False).alias("counts"),
    )


def _bits(active: pl.DataFrame, span: str) -> pl.DataFrame:
    made = chunks(active).with_columns(pl.lit(span).alias("span"))
    return made.select("tenant", "population", "feature", "span", "day", "chunk", "bits")
