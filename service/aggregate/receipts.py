"""What each source sent, by the time of receipt: events by outcome, fields that were there, delays, the newest time a minute.

Facts of two kinds: `receipt`, a series an outcome, and one a family and field that `[completeness]` names (n: stored events,
total: those that had it); and `delay`, from the event's time until it was visible, in nanoseconds (delays.py).
"""

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Final, get_type_hints

import numpy as np
import polars as pl

from service.aggregate.batch import Batch
from service.aggregate.context import FoldContext
from service.aggregate.deltas import RECEIPTS, Deltas
from service.aggregate.folds.facts import fold_facts
from service.aggregate.folds.versions import versions
from service.aggregate.grouping import codes, grouped_rows, numbered
from service.aggregate.policy import Outcome, Outcomes
from service.aggregate.records.columns import HEAD, ROW_TYPES
from service.clock import MINUTE, QUARTER, SECOND
from service.domain.families.registry import FAMILIES
from service.store.names import OTHER

_MILLISECOND: Final = SECOND // 1_000
_WORDS: Final = pl.Series(
    [each.name.lower() if each in {Outcome.STORED, Outcome.DUPLICATE} else "dead_lettered" for each in Outcome], dtype=pl.String
)
_SUMS: Final = pl.Schema(
    {
        "tenant": pl.Int32(),
        "source": pl.String(),
        "backfill": pl.Boolean(),
        "outcome": pl.String(),
        "received_us": pl.Int64(),
        "n": pl.Int64(),
        "newest_us": pl.Int64(),
    }
)
_KEYS: Final = ["tenant", "source", "backfill", "outcome", "received_us"]


def sent(batch: Batch, outcomes: Outcomes) -> pl.DataFrame:
    """Every event that was consumed, refused ones too, added up by source, millisecond of receipt and outcome.

    Gives tenant, source, backfill, outcome, received_us, n and newest_us, the newest time of these events.
    """
    heads = batch.heads
    received_ms = heads.received_us // _MILLISECOND
    keys = [heads.tenant, heads.source, heads.backfill, outcomes, received_ms]
    of_row, firsts = numbered(keys, len(heads))
    newest_us = np.full(len(firsts), np.iinfo(np.int64).min)
    np.maximum.at(newest_us, of_row, heads.time_us)
    consumed = {
        "tenant": heads.tenant[firsts],
        "source": batch.sources.gather(heads.source[firsts]),
        "backfill": heads.backfill[firsts],
        "outcome": _WORDS.gather(outcomes[firsts]),
        "received_us": received_ms[firsts] * _MILLISECOND,
        "n": np.bincount(of_row, minlength=len(firsts)),
        "newest_us": newest_us,
    }
    sums = pl.concat([_refused(batch), pl.DataFrame(consumed, schema_overrides=_SUMS)])
    return sums.group_by(_KEYS).agg(pl.col("n").sum(), pl.col("newest_us").max())


def _refused(batch: Batch) -> pl.DataFrame:
    """The events that the door refused, one by one."""
    rows = [
        (row.tenant, row.source, False, "dead_lettered", row.received_us // _MILLISECOND * _MILLISECOND, 1, row.received_us)
        for _, row in batch.rejected
    ]
    return pl.DataFrame(rows, schema=_SUMS, orient="row")


def received(
    sums: pl.DataFrame, stored: Mapping[str, pl.DataFrame], refused: pl.DataFrame, context: FoldContext, *, delays: pl.DataFrame
) -> Deltas:
    """Deltas of what `sent` added up, of the stored events by family, and of the delays of batches before.

    Sources in `refused` (tenant, source) are `~other`.
    """
    told = named(sums, refused).with_columns(time_us="received_us", account=pl.lit(""))
    counted = told.with_columns(total=pl.lit(0, pl.Int64))
    facts = [
        fold_facts("receipt", counted.select("tenant", "account", "time_us", "source", "outcome", "n", "total"),
                   ("source", "outcome"), context),
        fold_facts("delay", delays, ("source",), context),
        fold_facts("receipt", named(_presence(stored, context), refused), ("source", "family", "field"), context),
    ]  # fmt: skip
    newest = (
        told.filter(pl.col("outcome") == "stored")
        .group_by("tenant", "source", minute_us=pl.col("time_us") // MINUTE * MINUTE)
        .agg(pl.col("newest_us").max())
    )
    kept = (pl.col("minute_us") // QUARTER * QUARTER).is_between(context.quarter_from_us, context.quarter_until_us, closed="left")
    return Deltas(facts=pl.concat(facts), receipts=newest.filter(kept).select(RECEIPTS.names()))


def looked_at(family: str, fields: Collection[str]) -> set[str]:
    """The columns of a family's frame by which it is told whether these fields are there."""
    known = _fields(family)
    return {column for field in fields if field in known for column in known[field].meta.root_names()}


def receipt_rows(receipts: pl.DataFrame) -> pl.DataFrame:
    """A row a source and quarter with 15 instants, null where nothing came: as its stage has them."""
    places = range(QUARTER // MINUTE)
    at = [pl.col("newest_us").filter(pl.col("place") == place).max().cast(pl.String).fill_null("NULL") for place in places]
    placed = receipts.with_columns(bucket=pl.col("minute_us") // QUARTER * QUARTER, place=pl.col("minute_us") % QUARTER // MINUTE)
    keys = ["tenant", "source", "bucket"]
    columns = placed.group_by(keys).agg(each.alias(f"m{place}") for place, each in zip(places, at, strict=True))
    array = pl.concat_str(pl.lit("{"), pl.concat_str([f"m{place}" for place in places], separator=","), pl.lit("}"))
    return columns.select(*keys, array.alias("newest")).sort(keys)


def named(rows: pl.DataFrame, refused: pl.DataFrame) -> pl.DataFrame:
    """Rows whose `source` is `~other` where it is among those that were refused a name."""
    if refused.is_empty():
        return rows
    over = rows.join(refused.with_columns(over=True), on=["tenant", "source"], how="left", maintain_order="left")
    return over.with_columns(pl.when("over").then(pl.lit(OTHER)).otherwise("source").alias("source")).drop("over")


def _presence(stored: Mapping[str, pl.DataFrame], context: FoldContext) -> pl.DataFrame:
    """By source, family and field: of how many stored events it was asked, and how many had it."""
    empty = {"tenant": pl.Int32, "account": pl.String, "time_us": pl.Int64, "source": pl.String, "family": pl.String,
             "field": pl.String, "n": pl.Int64, "total": pl.Int64}  # fmt: skip
    made = [each for family, frame in stored.items() for each in _present(family, frame, context)]
    return pl.concat([pl.DataFrame(schema=empty), *(each.select(list(empty)) for each in made)])


def _present(family: str, frame: pl.DataFrame, context: FoldContext) -> Iterator[pl.DataFrame]:
    known = _fields(family)
    wanted = {tenant: context.configs[tenant].versions for tenant in frame["tenant"].unique()}
    fields = sorted({field for of in wanted.values() for version in of for field in version.completeness.get(family, ())})
    if not fields:
        return
    valid = versions(frame["tenant"], frame["time_us"], context.configs)
    told = frame.select("tenant", "source", *codes(frame, "source"), time_us=pl.col("received_us") // MINUTE * MINUTE)
    keys, of_row = grouped_rows(told)
    for field in fields:
        declaring = np.array([field in config.completeness.get(family, ()) for config in valid.configs])[valid.of_row]
        if field in known:
            there = frame.select(known[field]).to_series().to_numpy() & declaring
            n, total = (np.bincount(of_row if mask.all() else of_row[mask], minlength=len(keys)) for mask in (declaring, there))
            counts = {"n": n, "total": total}
            named = keys.with_columns(account=pl.lit(""), family=pl.lit(family), field=pl.lit(field), **counts)
            yield named.filter(pl.col("n") > 0)


@cache
def _fields(family: str) -> Mapping[str, pl.Expr]:
    """Whether an event had a field, by its name; what a row holds a default of cannot be told and is left out."""
    hints = get_type_hints(ROW_TYPES[family])
    (defaults,) = (each.defaults for each in FAMILIES if each.name == family)
    told: dict[str, pl.Expr] = {}
    for column, kind in hints.items():
        if kind in (int, bool, bytes) or (column in HEAD and column != "account"):
            continue
        text = pl.col(column) != "" if kind is str else pl.col(column).list.len() > 0
        told[column] = pl.col(column).is_not_null() if type(None) in getattr(kind, "__args__", ()) else text
    for column in list(told):
        stem, _, unit = column.rpartition("_")
        if unit in {"ns", "us", "nano"}:
            told |= {f"{stem}{ending}": told[column] for ending in ("", "_ms", "_at")}
    return {name: expression for name, expression in told.items() if name not in defaults} | {"time": pl.col("timed")}
