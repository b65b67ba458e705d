"""Steps of deliveries under an SLA: outcomes, what was on time, and the latency of what was delivered."""

from dataclasses import replace

import polars as pl

from service.aggregate.context import FoldContext
from service.aggregate.deltas import Deltas
from service.aggregate.folds.fold import Fold
from service.aggregate.folds.slo import judged_facts
from service.aggregate.folds.tracked import tracked
from service.aggregate.folds.versions import versions
from service.aggregate.grouping import codes

FINALS = ("delivered", "failed", "dead_lettered")
DIMS = ("integration", "direction", "outcome", "retried", "on_time", "limited", "exhausted", "automated", "excluded")


def fold(events: pl.DataFrame, context: FoldContext) -> Deltas:
    """Facts of the kind `delivery`: one a step, with the latency (nanoseconds) of the delivered; and what is tracked.

    A delivered final with a limit, its own or else the integration's as declared for its time, was on time or
    not; a final that failed has no `on_time`: it was not.
    """
    delivered, limit = pl.col("outcome") == "delivered", pl.col("limit_ns")
    final = pl.col("outcome").is_in(FINALS)
    limited = _limited(events, context)
    observed = limited.select(
        "tenant",
        "account",
        "time_us",
        "integration",
        "direction",
        "outcome",
        "excluded",
        "exhausted",
        "automated",
        pl.lit(1, pl.Int64).alias("n"),
        *codes(limited, "account", *DIMS),
        retried=pl.col("attempt") > 1,
        limited=final & limit.is_not_null(),
        on_time=pl.when(delivered).then(pl.col("latency_ns") <= limit),
        value=pl.when(delivered).then("latency_ns"),
    )
    texts = {name: _said(name, when=True) for name in ("retried", "limited", "exhausted")}
    texts |= {"automated": _said("automated", when=False), "on_time": pl.col("on_time").cast(pl.String).fill_null("")}
    deltas = judged_facts("delivery", events, observed, DIMS, context, texts=texts)
    return replace(deltas, tracked=tracked(events, limited, context.configs))


def _limited(events: pl.DataFrame, context: FoldContext) -> pl.DataFrame:
    """The events with the limit that each is under, null where none is known."""
    valid = versions(events["tenant"], events["time_us"], context.configs)
    rows = [(place, name, limit_ns) for place, config in enumerate(valid.configs) for name, limit_ns in config.limit_ns.items()]
    if not rows:
        return events
    declared = valid.declared({"integration": pl.String(), "declared_ns": pl.Int64()}, rows)
    joined = events.with_columns(valid.series()).join(declared, on=["version", "integration"], how="left", maintain_order="left")
    return joined.with_columns(pl.col("limit_ns").fill_null(pl.col("declared_ns")))


def _said(name: str, *, when: bool) -> pl.Expr:
    """The word for a flag in its rarer state; else nothing."""
    return pl.when(pl.col(name) == when).then(pl.lit(str(when).lower())).otherwise(pl.lit(""))


DELIVERY = Fold(
    family="delivery",
    fold=fold,
    names={"integration": "integration", "excluded": "excluded"},
    unread=frozenset({"id", "raw", "accepted_us"}),
    reads_all_for=lambda config: bool(config.tracked),
)
