"""Requests that services answered: counts by exact status, and the distribution of latency."""

import polars as pl

from service.aggregate.context import FoldContext
from service.aggregate.deltas import Deltas
from service.aggregate.folds.fold import Fold
from service.aggregate.folds.slo import judged_facts
from service.aggregate.grouping import codes

DIMS = ("service", "route", "method", "region", "status", "error_kind", "excluded")
STATUS = pl.when(pl.col("status") == 0).then(pl.lit("timeout")).otherwise(pl.col("status").cast(pl.String))


def fold(events: pl.DataFrame, context: FoldContext) -> Deltas:
    """Facts of the kind `request`: an event stands for `count` requests of its latency (nanoseconds)."""
    observed = events.select(
        "tenant",
        "account",
        "time_us",
        "service",
        "route",
        "method",
        "region",
        "error_kind",
        "excluded",
        pl.when("timeout").then(0).otherwise("status").alias("status"),
        *codes(events, "account", *DIMS),
        n="count",
        value="latency_ns",
    )
    return judged_facts("request", events, observed, DIMS, context, texts={"status": STATUS})


REQUEST = Fold(
    family="request",
    fold=fold,
    names={
        "service": "service",
        "route": "route",
        "method": "method",
        "region": "region",
        "error_kind": "error_kind",
        "excluded": "excluded",
    },
    unread=frozenset({"id", "raw"}),
)
