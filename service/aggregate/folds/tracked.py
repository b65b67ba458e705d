"""Deliveries whose acceptance is told: when each was taken in, under which limit, and when it was final."""

from collections.abc import Mapping

import polars as pl

from service.aggregate.deltas import TRACKED, TRACKED_KEYS
from service.aggregate.folds.versions import versions
from service.domain.foldconfig import TenantFoldConfig

_MOMENT = ["accepted_us", "source", "id"]


def tracked(events: pl.DataFrame, limited: pl.DataFrame, configs: Mapping[int, TenantFoldConfig]) -> pl.DataFrame:
    """TRACKED of steps of integrations that declare `tracks_accepted`; `limited` are the events with the limit of each.

    What is accepted counts where its version tracks the integration; a final where any version of the tenant does, so that
    nothing stays open because tracking ended meanwhile.
    """
    present = {tenant: configs[tenant] for tenant in events["tenant"].unique()}
    if not any(version.tracked for config in present.values() for version in config.versions):
        return pl.DataFrame(schema=TRACKED)
    valid = versions(events["tenant"], events["time_us"], configs)
    declared = [(place, name) for place, config in enumerate(valid.configs) for name in config.tracked]
    accepted = (
        limited.filter(pl.col("outcome") == "accepted")
        .with_columns(valid.series().filter(events["outcome"] == "accepted"))
        .join(valid.declared({"integration": pl.String()}, declared), on=["version", "integration"], how="semi")
        .select(
            "tenant",
            "delivery",
            "source",
            "id",
            "account",
            "integration",
            "direction",
            "limit_ns",
            accepted_us="time_us",
            is_excluded=pl.col("excluded") != "",
            final_us=pl.lit(None, pl.Int64),
        )
    )
    ever = [(tenant, name) for tenant, config in present.items() for name in {n for v in config.versions for n in v.tracked}]
    of_tenants = pl.DataFrame(ever, schema={"tenant": pl.Int32, "integration": pl.String}, orient="row")
    finals = (
        events.filter(pl.col("outcome").is_in(["delivered", "failed", "dead_lettered"]))
        .join(of_tenants, on=["tenant", "integration"], how="semi")
        .select("tenant", "delivery", final_us="time_us")
    )
    return first_tracked(pl.concat([accepted, finals], how="diagonal").select(TRACKED.names()))


def first_tracked(tracked: pl.DataFrame) -> pl.DataFrame:
    """TRACKED: of each delivery the earliest acceptance by (time, source, id), and the earliest final."""
    told = tracked.filter(pl.col("accepted_us").is_not_null()).sort(_MOMENT).unique(TRACKED_KEYS, keep="first")
    finals = tracked.group_by(TRACKED_KEYS).agg(pl.col("final_us").min())
    return finals.join(told.drop("final_us"), on=TRACKED_KEYS, how="left").select(TRACKED.names())
