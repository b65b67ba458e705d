"""Facts by series: events that can be added up, at the grains minute, quarter and local day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl

from service.aggregate.context import FoldContext
from service.aggregate.deltas import FACTS
from service.aggregate.folds.pairs import pairs_of
from service.aggregate.folds.tally import (
    Bins,
    Exact,
    Ints,
    Tally,
    by_newness,
    dense,
    extremes,
    histograms,
    regroup,
    together,
    weighted,
)
from service.aggregate.folds.versions import versions
from service.aggregate.grouping import codes, grouped_rows
from service.clock import MINUTE, QUARTER
from service.domain.columns import bin_of_wide

PAIRS = ".*"
"""A column `NAME.*` holds maps (`pairs_text`): each of its keys K is a dimension `NAME.K`."""
NEWEST = ("newest_us", "newest_source", "newest_id", "newest_value")


@dataclass(frozen=True, slots=True)
class Grain:
    """A tally with its keys told apart: the series and the bucket (a minute's, quarter's or day's number)."""

    tally: Tally
    series: Ints
    bucket: Ints


@dataclass(frozen=True, slots=True)
class Minutes:
    """Observations added up by series and minute: what all grains are made of."""

    series: pl.DataFrame
    """tenant, kind, account and dims of each series."""
    of_row: Ints
    """For each observation the key of its series and minute, as the tally has it."""
    grain: Grain
    newest: pl.DataFrame | None = None
    """What the ranks of the newest stand for."""


def fold_facts(
    kind: str,
    observed: pl.DataFrame,
    dims: Sequence[str],
    context: FoldContext,
    *,
    texts: Mapping[str, pl.Expr] | None = None,
    newest: bool = False,
) -> pl.DataFrame:
    """FACTS of observations at all grains.

    `observed` has tenant, account, time_us, the columns `dims` that tell series apart, n, and either `total`
    alone (Int64 or Int128, what is added up) or `value` (the same, null where nothing was measured; it stands for n
    equal ones), which gives total, least, greatest and the histogram; with `newest` also source and id.
    Codes of texts beside them (`grouping.codes`) make it faster.
    `texts` says how a column that is no text becomes one (injectively); "" is left out of the dimensions.
    """
    if observed.is_empty():
        return pl.DataFrame(schema=FACTS)
    return facts_from(by_minute(kind, observed, dims, texts=texts, newest=newest), context)


def by_minute(
    kind: str, observed: pl.DataFrame, dims: Sequence[str], *, texts: Mapping[str, pl.Expr] | None = None, newest: bool = False
) -> Minutes:
    """The first half of `fold_facts`; `observed` is not empty."""
    series, of_row = grouped_rows(observed.select("tenant", "account", *dims, *codes(observed, "account", *dims)))
    minutes, starts = dense(observed["time_us"].to_numpy() // MINUTE)
    ordered, ranks = by_newness(observed.select("time_us", "source", "id", "value")) if newest else (None, None)
    keys = of_row * len(starts) + minutes
    kinds = pl.Series("kind", [kind]).new_from_index(0, len(series))
    described = pl.DataFrame([series["tenant"], kinds, series["account"], _dims(series, dims, texts)])
    return Minutes(described, keys, grain_of(regroup(_observations(observed, ranks), keys), starts), ordered)


def facts_from(minutes: Minutes, context: FoldContext) -> pl.DataFrame:
    """The second half: FACTS at all grains that are kept."""
    by_quarter = _roll(minutes.grain, minutes.grain.bucket // (QUARTER // MINUTE))
    by_day = _roll(by_quarter, _days(minutes.series["tenant"], by_quarter, context))
    facts = _facts(minutes.series, minutes.grain, by_quarter, by_day, minutes.newest)
    grain, bucket = facts["grain"], facts["bucket"]
    kept = ((grain != "minute") | bucket.is_between(context.minute_from_us, context.minute_until_us, closed="left")) & (
        (grain != "quarter") | bucket.is_between(context.quarter_from_us, context.quarter_until_us, closed="left")
    )
    return facts if kept.all() else facts.filter(kept)


def grain_of(tally: Tally, buckets: Ints) -> Grain:
    """A tally whose keys are `series x len(buckets) + place of the bucket`."""
    width = len(buckets)
    return Grain(tally, tally.keys // width, buckets[tally.keys % width])


def _roll(fine: Grain, bucket: Ints) -> Grain:
    codes, buckets = dense(bucket)
    return grain_of(regroup(fine.tally, fine.series * len(buckets) + codes), buckets)


def _observations(observed: pl.DataFrame, ranks: Ints | None) -> Tally:
    """Each observation as a tally's row of its own."""
    row = np.arange(len(observed), dtype=np.int64)
    count = observed["n"]
    measures: dict[str, Exact] = {"n": count.to_numpy()}
    if "value" not in observed.columns:
        return Tally(row, measures | {"total": weighted(observed["total"], pl.ones(len(row), pl.Int64, eager=True))}, None)
    value = observed["value"]
    there = value.is_not_null().to_numpy()
    least, greatest = extremes(value)
    measures |= {"measured": there.astype(np.int64), "total": weighted(value, count), "least": least, "greatest": greatest}
    if ranks is not None:
        measures["newest"] = ranks
    if there.all():
        return Tally(row, measures, Bins(row, bin_of_wide(value), count.to_numpy()))
    return Tally(row, measures, Bins(row[there], bin_of_wide(value.drop_nulls()), count.to_numpy()[there]))


def _days(tenant: pl.Series, quarters: Grain, context: FoldContext) -> Ints:
    """Local days of quarters: every zone's day begins on one."""
    start = pl.Series(quarters.bucket * QUARTER)
    days: Ints = versions(tenant.gather(quarters.series), start, context.configs).days(start).to_numpy().astype(np.int64)
    return days


def _dims(series: pl.DataFrame, dims: Sequence[str], texts: Mapping[str, pl.Expr] | None) -> pl.Series:
    """Dimensions as JSON text: keys sorted, no empty values, no spaces."""
    words = series.select((texts or {}).get(name, pl.col(name)).alias(name) for name in sorted(dims))
    if not words.width:
        return pl.Series("dims", ["{}"]).new_from_index(0, len(series))
    members = zip(*(_members(column) for column in words.iter_columns()), strict=True)
    return pl.Series("dims", ["{" + ",".join(filter(None, each)) + "}" for each in members], dtype=pl.String)


def _members(words: pl.Series) -> list[str]:
    """`"name":"value"` for each word, nothing for the empty one: encoded once a distinct word."""
    name, texts = words.name, words.to_list()
    if name.endswith(PAIRS):
        prefix = name.removesuffix("*")
        said = {text: ",".join(_member(prefix + key, value) for key, value in pairs_of(text).items()) for text in set(texts)}
    else:
        said = {word: _member(name, word) if word else "" for word in set(texts)}
    return [said[text] for text in texts]


def _member(key: str, value: str) -> str:
    return f"{msgspec.json.encode(key).decode()}:{msgspec.json.encode(value).decode()}"


def _facts(described: pl.DataFrame, minutes: Grain, quarters: Grain, days: Grain, newest: pl.DataFrame | None) -> pl.DataFrame:
    grains = [(minutes, "minute", MINUTE), (quarters, "quarter", QUARTER), (days, "day", 1)]
    tally = together([grain.tally for grain, _, _ in grains])
    which = np.repeat(np.arange(len(grains)), [len(grain.series) for grain, _, _ in grains])
    keys = [
        *described[np.concatenate([grain.series for grain, _, _ in grains])],
        pl.Series("grain", [name for _, name, _ in grains]).gather(which),
        pl.Series("bucket", np.concatenate([grain.bucket * unit for grain, _, unit in grains])),
    ]
    return facts_of(keys, tally, newest)


def facts_of(keys: list[pl.Series], tally: Tally, newest: pl.DataFrame | None) -> pl.DataFrame:
    """FACTS of keys and their tally; `newest` holds what the ranks of the newest stand for, in their order."""
    measures, rows = tally.measures, len(tally.keys)
    columns = {column.name: column for column in keys}
    columns |= {"n": pl.Series(measures["n"]), "total": _wide(measures["total"]), "histogram": histograms(tally)}
    if "least" in measures:
        measured = pl.Series(measures["measured"] > 0)
        for name in ("least", "greatest"):
            column = _wide(measures[name])
            columns[name] = column if measured.all() else pl.select(pl.when(measured).then(column)).to_series()
    if newest is not None:
        columns |= dict(zip(NEWEST, newest[measures["newest"]].iter_columns(), strict=True))
    for name, dtype in FACTS.items():
        if name not in columns:
            columns[name] = pl.Series([None], dtype=dtype).new_from_index(0, rows)
    return pl.DataFrame([columns[name].alias(name).cast(dtype) for name, dtype in FACTS.items()])


def _wide(values: Exact) -> pl.Series:
    if values.dtype == object:
        return pl.Series(values.tolist(), dtype=pl.Int128)
    return pl.Series(values).cast(pl.Int128)
