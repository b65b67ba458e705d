"""Uses of features: counts and quantities, sessions, and who was active on which local day."""

from dataclasses import replace

import polars as pl

from service.aggregate.context import FoldContext
from service.aggregate.deltas import ACTIVITY_KEYS, USERS, Deltas
from service.aggregate.folds.facts import fold_facts
from service.aggregate.folds.firsts import first_uses
from service.aggregate.folds.fold import Fold
from service.aggregate.folds.frequency import weekly_uses
from service.aggregate.folds.merge import added_facts
from service.aggregate.folds.pairs import declared_pairs_text
from service.aggregate.folds.sessions import open_sessions
from service.aggregate.folds.slo import judged_facts
from service.aggregate.folds.versions import Versions, versions
from service.aggregate.grouping import codes, first_rows, some_rows
from service.domain.families.usage import NAMED, OF_ACCOUNT

SESSION = "session"
NANO = 1_000_000_000
DIMS = ("feature", "ok", "property.*")
OK = pl.when("ok").then(pl.lit("")).otherwise(pl.lit("false"))
FAILED = '"ok":"false"'
"""What the dimensions of a failed use hold, and no others': within a name or value a quotation mark has a backslash before it."""


def fold(events: pl.DataFrame, context: FoldContext) -> Deltas:
    """Facts of the kinds `usage` and `session`, active users by feature and day, first uses, and users that only ended a session.

    The `end` of a session is no use and makes nobody active; it says how long the session was that began
    at its time less its duration.
    """
    is_session, is_end = pl.col("feature") == SESSION, pl.col("phase") == "end"
    sessions = events.filter(is_session)
    # Most batches have none, and are not copied to leave nothing out.
    uses = events if sessions.is_empty() else events.filter(~(is_session & is_end))
    valid = versions(uses["tenant"], uses["time_us"], context.configs)
    judged = _uses(uses, valid, context)
    return replace(
        judged,
        facts=pl.concat([judged.facts, _summed(judged.facts), _sessions(sessions, context)]),
        activity=_activity(uses, valid),
        users=sessions.filter(is_end).select(USERS.names()).unique(),
        milestones=first_uses(uses, valid),
        sessions=open_sessions(sessions, context),
        frequency=weekly_uses(uses, valid, _quantity(uses)),
    )


def _uses(uses: pl.DataFrame, valid: Versions, context: FoldContext) -> Deltas:
    observed = uses.select(
        "tenant",
        "account",
        "time_us",
        "feature",
        "ok",
        pl.lit(1, pl.Int64).alias("n"),
        _quantity(uses),
        *codes(uses, "account", "feature"),
    ).with_columns(_properties(uses, valid))
    return judged_facts("usage", uses, observed, DIMS, context, texts={"ok": OK})


def _summed(facts: pl.DataFrame) -> pl.DataFrame:
    """Uses that name an account, of all accounts together, and of each account whatever the feature.

    So a whole is read from few series, however many accounts there are, and a split by accounts from few, however many features.
    """
    named = facts.filter((pl.col("kind") == "usage") & (pl.col("account") != ""))
    if named.is_empty():
        return named
    ok = pl.when(pl.col("dims").str.contains(FAILED, literal=True)).then(pl.lit("{" + FAILED + "}")).otherwise(pl.lit("{}"))
    of_all = named.with_columns(kind=pl.lit(NAMED), account=pl.lit(""))
    return added_facts(pl.concat([of_all, named.with_columns(kind=pl.lit(OF_ACCOUNT), dims=ok)]))


def _quantity(uses: pl.DataFrame) -> pl.Expr:
    """Quantities in units of 1e-9: Int64 where all fit, else Int128."""
    if not uses["quantity_whole"].max():
        return pl.col("quantity_nano").alias("total")
    whole = pl.col("quantity_whole").cast(pl.Int128) * pl.lit(NANO, pl.Int128)
    return (whole + pl.col("quantity_nano").cast(pl.Int128)).alias("total")


def _properties(uses: pl.DataFrame, valid: Versions) -> pl.Series:
    declared = [frozenset(config.properties) for config in valid.configs]
    return declared_pairs_text(uses["properties"], valid, declared).alias("property.*")


def _sessions(sessions: pl.DataFrame, context: FoldContext) -> pl.DataFrame:
    """Durations (nanoseconds) of whole sessions and of ends, at the time at which they began."""
    began_us = pl.when(pl.col("phase") == "end").then(pl.col("time_us") + (-pl.col("duration_ns")) // 1_000)
    observed = sessions.filter(pl.col("duration_ns").is_not_null() & (pl.col("phase") != "start")).select(
        "tenant",
        "account",
        began_us.otherwise("time_us").alias("time_us"),
        pl.lit(1, pl.Int64).alias("n"),
        value="duration_ns",
    )
    return fold_facts("session", observed, (), context)


def _activity(uses: pl.DataFrame, valid: Versions) -> pl.DataFrame:
    """Who used what on which day."""
    day = valid.days(uses["time_us"]).alias("day")
    ignored = [(place, name) for place, config in enumerate(valid.configs) for name in config.ignore_features]
    if not ignored:
        told_apart = uses.select(*ACTIVITY_KEYS[:-1], day, *codes(uses, *ACTIVITY_KEYS))
        return some_rows(told_apart, first_rows(told_apart)).with_columns(counts=True)
    names = valid.declared({"feature": pl.String(), "ignored": pl.Boolean()}, [(*name, True) for name in ignored])
    seen = uses.select("tenant", "account", "user", "feature", day, valid.series()).join(
        names, on=["version", "feature"], how="left"
    )
    return seen.group_by(ACTIVITY_KEYS).agg(counts=pl.col("ignored").is_null().any())


USAGE = Fold(
    family="usage",
    fold=fold,
    names={"feature": "feature"},
    maps={"properties": "property"},
    unread=frozenset({"id", "session", "raw"}),
    reads_all_for=lambda config: bool(config.first_uses),
)
