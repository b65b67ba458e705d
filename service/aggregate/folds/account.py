"""The state of customers: every value with its date, newest traits, earliest milestones."""

from typing import Final

import polars as pl

from service.aggregate.context import FoldContext
from service.aggregate.deltas import MILESTONES, STATES, Deltas
from service.aggregate.folds.fold import Fold
from service.aggregate.folds.merge import earliest_milestones, newest_states

KIND: Final = "account"
KNOWN: Final = "~known"
"""The milestone of the first event about an account; no client can send a name like it."""
TEXTS = ("status", "reason", "tier", "contract_start", "contract_end", "renewal", "phase")
NUMBERS = ("licensed_users", "size", "progress_nano")
MONEY = ("mrr", "usage_fees", "contract_value", "expansion_potential")
_ABOUT = ("tenant", "kind", "who", "account", "time_us", "source", "id")


def fold(events: pl.DataFrame, context: FoldContext) -> Deltas:  # noqa: ARG001  # every fold is asked the same way
    """Values and signals (every one with its date), traits (the newest) and milestones (the earliest) of accounts.

    The account is the one that the event is about, whatever account it names beside. Money is `AMOUNT CURRENCY`, in
    minor units; a date an RFC 3339 full-date; `signal.NAME` is `true` or `false`.
    """
    about = events.with_columns(pl.lit(KIND).alias("kind"), who="customer", account="customer")
    values = [
        *(_dated(about, field, pl.col(field), pl.col(field) != "") for field in TEXTS),
        *(_dated(about, field, pl.col(field).cast(pl.String), pl.col(field).is_not_null()) for field in NUMBERS),
        *(_dated(about, field, _money(field), pl.col(field).is_not_null()) for field in MONEY),
        _pairs(about, "signals", "signal.", dated=True),
        _pairs(about, "traits", "trait.", dated=False),
    ]
    return Deltas(states=newest_states(pl.concat(values)), milestones=earliest_milestones(_milestones(about)))


def _dated(about: pl.DataFrame, field: str, value: pl.Expr, said: pl.Expr) -> pl.DataFrame:
    return (
        about.filter(said)
        .select(*_ABOUT, pl.lit(field).alias("field"), value.alias("value"), pl.lit(value=True).alias("dated"))
        .select(STATES.names())
    )


def _money(field: str) -> pl.Expr:
    return pl.concat_str(pl.col(field).cast(pl.String), pl.lit(" "), pl.col(f"{field}_currency"))


def _pairs(about: pl.DataFrame, column: str, prefix: str, *, dated: bool) -> pl.DataFrame:
    pairs = about.select(*_ABOUT, column).filter(pl.col(column).list.len() > 0).explode(column).unnest(column)
    return pairs.with_columns(field=pl.concat_str(pl.lit(prefix), "key"), dated=pl.lit(dated)).select(STATES.names())


def _milestones(about: pl.DataFrame) -> pl.DataFrame:
    reached = about.filter(pl.col("milestone") != "")
    known = about.with_columns(milestone=pl.lit(KNOWN))
    return pl.concat([reached.select(MILESTONES.names()), known.select(MILESTONES.names())])


ACCOUNT = Fold(
    family="account",
    fold=fold,
    names={"reason": "churn_reason", "milestone": "milestone", "phase": "phase"},
    maps={"signals": "signal", "traits": "account_trait"},
)
