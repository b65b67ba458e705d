"""A folded batch as the rows of its flush: binary for the rollups of every flush, CSV for what comes now and then."""

from collections.abc import Callable

import polars as pl

from service.aggregate.bits import chunks
from service.aggregate.copying import binary_rows
from service.aggregate.deltas import Deltas
from service.aggregate.folds.frequency import frequency_rows
from service.aggregate.folds.sessions import session_rows
from service.aggregate.places import Ints
from service.aggregate.reached import reached_rows
from service.aggregate.receipts import receipt_rows
from service.aggregate.resolve import Resolved, earlier
from service.clock import QUARTER
from service.store.staging import Staged

PROBE_BITS = ["up", "down", "degraded", "planned", "excluded"]
DATED = ["tenant", "kind", "who", "account", "field", "time_us", "source", "id", "value"]
GRAINS = ["minute", "quarter", "day"]
DAY_KEY = ["series", "day"]
MEASURES = ["n", "total", "least", "greatest", "newest_us", "newest_source", "newest_id", "newest_value"]


def stage_deltas(deltas: Deltas, resolved: Resolved) -> Staged:
    """Rows by stage of everything that folds have made, in the order of the rollups' keys; a stage may be empty."""
    users, seats = earlier(resolved.users), earlier(resolved.seats)
    binary = {
        "fact": _of(deltas.facts, lambda facts: _facts(facts, resolved.series_of_fact)),
        "activity": _of(deltas.activity, lambda activity: chunks(_active(activity, resolved))),
        "reached": reached_rows(
            deltas.reached, resolved.milestones, users=resolved.users, seats=resolved.seats, first={"user": users, "seat": seats}
        ),
    }
    text = {
        "probe": _of(deltas.probes, _probes),
        "session": _of(deltas.sessions, session_rows),
        "frequency": _of(deltas.frequency, lambda uses: frequency_rows(uses, resolved.users, resolved.features)),
        "receipts": _of(deltas.receipts, receipt_rows),
        "tracked": _of(deltas.tracked, lambda tracked: tracked.sort("tenant", "delivery")),
        "slo": _of(deltas.slos, lambda slos: slos.sort("tenant", "slo")),
        "state": _of(deltas.states, lambda states: _states(states, dated=False)),
        "state_history": _of(deltas.states, lambda states: _states(states, dated=True)),
        "milestone": _of(deltas.milestones, lambda earliest: earliest.sort("tenant", "kind", "milestone", "who")),
        "step": _of(deltas.steps, lambda steps: steps.sort("tenant", "family", "subject", "time_us")),
    }
    return Staged(
        binary={stage: binary_rows(frame) for stage, frame in binary.items() if frame is not None},
        csv={stage: _csv(frame) for stage, frame in text.items() if frame is not None},
    )


def _of(deltas: pl.DataFrame, rows: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.DataFrame | None:
    """Rows of what there is: most flushes have none for most stages, and shaping nothing takes as long as a little."""
    return None if deltas.is_empty() else rows(deltas)


def _states(states: pl.DataFrame, *, dated: bool) -> pl.DataFrame:
    return states.filter(pl.col("dated") == dated).select(DATED).sort("tenant", "kind", "who", "account", "field")


def _csv(frame: pl.DataFrame) -> bytes:
    """Write a frame as Postgres's COPY reads it: nulls as nothing, empty texts as two quotes."""
    wide = [pl.col(name).cast(pl.String) for name, dtype in frame.schema.items() if dtype == pl.Int128]
    return frame.with_columns(wide).write_csv(include_header=False).encode()


def _facts(facts: pl.DataFrame, series: Ints) -> pl.DataFrame:
    """A row a series and bucket, or one for two or three buckets where it is the same in all of them.

    Most events of a flush are seconds old: what a series has in its minute is all that it has in its quarter and day.
    """
    numbered = facts.select(pl.Series("series", series), "grain", "bucket", *MEASURES, "histogram")
    minutes, quarters, days = (_of_grain(numbered, grain) for grain in GRAINS)
    # Every event is in a day: where a series has one day only, and a quarter of as many events, they are the same ones.
    only_days = days.filter(pl.col("series").is_unique() & (pl.col("n") > 0)).select("series", "n", "day")
    quarters = quarters.join(only_days, on=["series", "n"], how="left")
    # A minute of as many events as its own quarter has.
    shared = quarters.filter(pl.col("n") > 0).select("series", "quarter", "n", "day")
    minutes = minutes.with_columns(quarter=pl.col("minute") // QUARTER * QUARTER).join(
        shared, on=["series", "quarter", "n"], how="left", coalesce=False, suffix="_shared"
    )
    minutes = minutes.drop("quarter", "series_shared", "n_shared").rename({"quarter_shared": "quarter"})
    quarters = quarters.join(minutes, on=["series", "quarter"], how="anti")
    days = days.join(pl.concat([quarters.select(DAY_KEY), minutes.select(DAY_KEY)]), on=DAY_KEY, how="anti")
    return (
        pl.concat([minutes, quarters, days], how="diagonal")
        .sort("series", "minute", "quarter", "day")
        .select("series", "minute", "quarter", pl.col("day").cast(pl.Int32), *MEASURES, "histogram")
    )


def _of_grain(facts: pl.DataFrame, grain: str) -> pl.DataFrame:
    return facts.filter(pl.col("grain") == grain).drop("grain").rename({"bucket": grain})


def _active(activity: pl.DataFrame, resolved: Resolved) -> pl.DataFrame:
    """Who was active, by ordinal, in both populations."""
    numbered = activity.select("tenant", "day", "counts", feature=pl.Series(resolved.feature_of_activity))
    users = numbered.with_columns(resolved.users["ordinal"].gather(resolved.user_of_activity))
    seated = resolved.seat_of_activity >= 0
    seats = numbered.filter(seated).with_columns(resolved.seats["ordinal"].gather(resolved.seat_of_activity[seated]))
    return pl.concat(
        frame.select("tenant", pl.lit(population).alias("population"), "day", "ordinal", "counts", "feature")
        for population, frame in (("seat", seats), ("user", users))
    )


def _probes(probes: pl.DataFrame) -> pl.DataFrame:
    bits = [pl.concat_str(pl.lit("x"), pl.col(name).bin.encode("hex")).alias(name) for name in PROBE_BITS]
    return probes.with_columns(bits).sort("tenant", "account", "component", "monitor", "region", "bucket")
