"""Open sessions: at which minutes they begin and end, so that how many are open is a running sum.

Two numbers a minute. `opened` is of sessions whose length is known: one more where they begin, one less where they end;
one that passes a UTC midnight begins there once more, so that each day adds up by itself. `unended` is of those that are told by
their two ends: one more at a start, one less at that minute once the end has come; what is left is open for a day.
"""

import numpy as np
import polars as pl

from service.aggregate.context import FoldContext
from service.aggregate.deltas import SESSION_KEYS, SESSIONS
from service.aggregate.folds.tally import Ints
from service.aggregate.grouping import grouped_rows
from service.clock import DAY, MINUTE, QUARTER

OPEN_US = DAY
"""No session counts as open for longer: one that does not end is closed then (events.md), and so is one that ends later."""


def open_sessions(sessions: pl.DataFrame, context: FoldContext) -> pl.DataFrame:
    """SESSIONS of events of the feature `session`; those that name neither a phase nor a duration are no sessions.

    A minute that was touched has its row though it adds up to nothing: which rows there are depends on no order.
    """
    if sessions.is_empty():
        return pl.DataFrame(schema=SESSIONS)
    ends, whole = pl.col("phase") == "end", (pl.col("phase") == "") & pl.col("duration_ns").is_not_null()
    told = sessions.select("tenant", "account", "time_us", "phase", "duration_ns").with_columns(
        began_us=pl.when(ends).then(began_us()).otherwise("time_us"),
        ended_us=pl.when(ends).then("time_us").otherwise(pl.col("time_us") + pl.col("duration_ns") // 1_000),
    )
    halves = told.filter(pl.col("phase") != "")
    known = told.filter(ends | whole).with_columns(ended_us=pl.min_horizontal("ended_us", pl.col("began_us") + OPEN_US))
    last_midnight = pl.col("ended_us") // DAY * DAY
    passing = known.filter((pl.col("began_us") < last_midnight) & (last_midnight // MINUTE < pl.col("ended_us") // MINUTE))
    # What ends in the minute of a midnight is not told again there, and so does not end there either.
    ending = known.filter((pl.col("began_us") // DAY == pl.col("ended_us") // DAY) | (pl.col("ended_us") % DAY >= MINUTE))
    touched = pl.concat(
        [
            _at(halves, pl.col("began_us"), unended=pl.when(ends).then(-1).otherwise(1)),
            _at(known, pl.col("began_us"), opened=pl.lit(1)),
            _at(passing, last_midnight, opened=pl.lit(1)),
            _at(ending, pl.col("ended_us"), opened=pl.lit(-1)),
        ]
    )
    kept = (pl.col("minute_us") // QUARTER * QUARTER).is_between(context.quarter_from_us, context.quarter_until_us, closed="left")
    return added_sessions(touched.filter(kept))


def began_us() -> pl.Expr:
    """When a session began whose end is told: its time less its duration."""
    return pl.col("time_us") + (-pl.col("duration_ns")) // 1_000


def added_sessions(sessions: pl.DataFrame) -> pl.DataFrame:
    """SESSIONS with equal keys added up."""
    return sessions.group_by(SESSION_KEYS).agg(pl.col("unended").sum(), pl.col("opened").sum())


def session_rows(sessions: pl.DataFrame) -> pl.DataFrame:
    """A row a quarter with 15 numbers of each kind, of all sessions and of each account's: as its stage has them."""
    everyone = added_sessions(sessions.with_columns(account=pl.lit("")))
    scoped = pl.concat(
        [
            everyone.with_columns(scope=pl.lit("all")),
            sessions.filter(pl.col("account") != "").with_columns(scope=pl.lit("account")),
        ]
    )
    keys, of_row = grouped_rows(scoped.select("tenant", "scope", "account", bucket=pl.col("minute_us") // QUARTER * QUARTER))
    place = (scoped["minute_us"] % QUARTER // MINUTE).to_numpy()
    made = [_arrays(name, scoped[name], of_row, place, len(keys)) for name in ("unended", "opened")]
    return keys.with_columns(made).sort("tenant", "scope", "account", "bucket")


def _arrays(name: str, numbers: pl.Series, of_row: Ints, place: Ints, rows: int) -> pl.Series:
    """The numbers of each row's minutes, as text that Postgres reads as an array."""
    placed = np.zeros((rows, QUARTER // MINUTE), dtype=np.int64)
    placed[of_row, place] = numbers.to_numpy()
    return pl.Series(name, [f"{{{','.join(map(str, row))}}}" for row in placed.tolist()], dtype=pl.String)


def _at(sessions: pl.DataFrame, at_us: pl.Expr, **numbers: pl.Expr) -> pl.DataFrame:
    """One row a session: the minute that it touches, and what changes there."""
    nothing = {"unended": pl.lit(0), "opened": pl.lit(0)}
    changes = [number.cast(pl.Int64).alias(name) for name, number in (nothing | numbers).items()]
    return sessions.select("tenant", "account", (at_us // MINUTE * MINUTE).alias("minute_us"), *changes).select(SESSIONS.names())
