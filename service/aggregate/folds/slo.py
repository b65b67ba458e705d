"""SLOs of events: how many were good, by minute, quarter and day, and what of that feeds their counters.

Made of what a family's events were added up to: one look at each series, none at each event, but where a value decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from service.aggregate.context import FoldContext
from service.aggregate.deltas import FACTS, SLO_KEYS, SLOS, Deltas
from service.aggregate.folds.facts import Minutes, by_minute, facts_from, grain_of
from service.aggregate.folds.tally import Ints, Tally, regroup
from service.aggregate.folds.versions import versions
from service.clock import MINUTE
from service.domain.foldconfig import FoldConfig
from service.domain.slo import FACTS_OF, Comparison, Selection

KIND: Final = "slo"
_EXCLUDED: Final = "excluded"
_WIDEST: Final = (1 << 63) - 1
_COMPARED: Final[Mapping[Comparison, np.ufunc]] = {
    "<=": np.less_equal,
    "<": np.less,
    ">=": np.greater_equal,
    ">": np.greater,
}

Mask = npt.NDArray[np.bool_]
_Match: TypeAlias = tuple[Selection, bool, str]
"""An SLO that a series counts for, whether its events are good where no value decides, and why they are excluded."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a family's events come to for SLOs."""

    facts: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FACTS))
    """Of the kind `slo`: n is how many, total how many of them were good; excluded ones are series of their own."""
    slos: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SLOS))


@dataclass(slots=True)
class _Matches:
    """Which SLOs each pair of a series and a version counts for: a row a pair and SLO, those of a pair side by side."""

    first: list[int] = field(default_factory=list)
    """By pair: its first row."""
    series: list[int] = field(default_factory=list)
    """By row: the place of the SLO's own series in `keys`."""
    good: list[bool] = field(default_factory=list)
    """By row: whether the events are good, where no value decides."""
    chosen: list[Selection] = field(default_factory=list)
    keys: dict[tuple[int, str, str, str], int] = field(default_factory=dict)
    """tenant, account, SLO, why excluded."""

    @property
    def by_value(self) -> Mask:
        """By row: whether the value of an event decides if it is good."""
        return np.array([each.bound is not None for each in self.chosen], dtype=np.bool_)


def judged_facts(
    kind: str,
    events: pl.DataFrame,
    observed: pl.DataFrame,
    dims: Sequence[str],
    context: FoldContext,
    *,
    texts: Mapping[str, pl.Expr] | None = None,
    newest: bool = False,
) -> Deltas:
    """The facts of a family's events, as `fold_facts` makes them of what was `observed`, and what they come to for SLOs."""
    if observed.is_empty():
        return Deltas()
    minutes = by_minute(kind, observed, dims, texts=texts, newest=newest)
    facts = facts_from(minutes, context)
    of_slos = judged(kind, minutes, observed, live_of(events, context), context)
    return Deltas(facts=pl.concat([facts, of_slos.facts]) if len(of_slos.facts) else facts, slos=of_slos.slos)


def live_of(events: pl.DataFrame, context: FoldContext) -> Mask:
    """The events that feed counters: no history, and received soon after they happened."""
    late = events["received_us"].to_numpy() - events["time_us"].to_numpy() > context.live_us
    live: Mask = ~(late | events["backfill"].to_numpy())
    return live


def judged(kind: str, minutes: Minutes, observed: pl.DataFrame, live: Mask, context: FoldContext) -> Judged:
    """Count for every SLO of events that is about facts of this kind.

    `observed` are the observations that `minutes` were made of (with `n`, and `value` where a value can decide), `live`
    marks those that feed counters. What an SLO is about is picked by the minute of an event: a version that begins within
    one counts from the next on.
    """
    tenants = minutes.series["tenant"]
    if not any(_of_kind(version, kind) for tenant in tenants.unique() for version in context.configs[tenant].versions):
        return Judged()
    cells = minutes.grain
    valid = versions(tenants.gather(cells.series), pl.Series(cells.bucket * MINUTE), context.configs)
    pairs, pair_of_cell = np.unique(cells.series * len(valid.configs) + valid.of_row, return_inverse=True)
    matches = _matches(minutes.series, [divmod(int(pair), len(valid.configs)) for pair in pairs], valid.configs, kind)
    if not matches.keys:
        return Judged()
    rows = _expanded(matches, pair_of_cell)
    n = cells.tally.measures["n"][rows.cell]
    good = np.where((np.array(matches.good) & ~matches.by_value)[rows.match], n, 0)
    sums = _Sums(n, good, n.copy(), good.copy())
    _count_events(matches, rows, minutes, observed, live, sums)
    series = np.array(matches.series)[rows.match]
    return Judged(_facts(matches, series, cells.bucket[rows.cell], sums, context), _fed(matches, series, sums))


def added_slos(slos: pl.DataFrame) -> pl.DataFrame:
    """SLOS with equal keys added up."""
    return slos.group_by(SLO_KEYS).agg(pl.col("good").sum(), pl.col("total").sum())


def _of_kind(config: FoldConfig, kind: str) -> list[Selection]:
    return [each for each in config.slos if FACTS_OF[each.kind] == kind]


def _matches(series: pl.DataFrame, pairs: Sequence[tuple[int, int]], configs: Sequence[FoldConfig], kind: str) -> _Matches:
    found = _Matches()
    chosen = [_of_kind(config, kind) for config in configs]
    # Most tenants declare the same SLOs, and their series have few dimensions that differ: each is looked at once.
    alike: dict[tuple[Selection, ...], int] = {}
    group = [alike.setdefault(tuple(each), len(alike)) for each in chosen]
    known: dict[tuple[int, str, str], list[_Match]] = {}
    described = series.select("tenant", "account", "dims").rows()
    for place, version in pairs:
        tenant, account, text = described[place]
        key = group[version], account, text
        if key not in known:
            known[key] = _matching(chosen[version], account, text)
        found.first.append(len(found.series))
        for each, good, excluded in known[key]:
            found.series.append(found.keys.setdefault((tenant, account, each.name, excluded), len(found.keys)))
            found.good.append(good)
            found.chosen.append(each)
    found.first.append(len(found.series))
    return found


def _matching(chosen: Sequence[Selection], account: str, text: str) -> list[_Match]:
    if not chosen:
        return []
    dims = msgspec.json.decode(text, type=dict[str, str])
    return [(each, each.is_good(dims), dims.get(_EXCLUDED, "")) for each in chosen if each.takes(account, dims)]


@dataclass(frozen=True, slots=True)
class _Sums:
    """By row of `_Rows`: events, good ones, and those of them that feed counters."""

    n: Ints
    good: Ints
    live_n: Ints
    live_good: Ints


@dataclass(frozen=True, slots=True)
class _Rows:
    """A row a cell (series and minute) and SLO that it counts for; those of a cell side by side."""

    cell: Ints
    match: Ints
    first: Ints
    """By cell: its first row."""


def _expanded(matches: _Matches, pair_of_cell: Ints) -> _Rows:
    first = np.array(matches.first, dtype=np.int64)
    counts = np.diff(first)[pair_of_cell]
    begins = np.cumsum(counts) - counts
    cell = np.repeat(np.arange(len(pair_of_cell)), counts)
    match = np.arange(len(cell)) - begins[cell] + first[:-1][pair_of_cell[cell]]
    return _Rows(cell, match, np.append(begins, len(cell)))


def _count_events(matches: _Matches, rows: _Rows, minutes: Minutes, observed: pl.DataFrame, live: Mask, sums: _Sums) -> None:
    """Count event by event what no series tells: those that are good by their value, and those that are not live."""
    by_value = matches.by_value
    has_value = np.zeros(len(rows.first) - 1, dtype=np.bool_)
    has_value[rows.cell[by_value[rows.match]]] = True
    if live.all() and not has_value.any():
        return
    cell = np.searchsorted(minutes.grain.tally.keys, minutes.of_row)
    looked_at = np.flatnonzero(~live | has_value[cell])
    counts = np.diff(rows.first)[cell[looked_at]]
    event = np.repeat(looked_at, counts)
    row = np.arange(len(event)) + np.repeat(rows.first[cell[looked_at]] - np.cumsum(counts) + counts, counts)
    match, n, late = rows.match[row], observed["n"].to_numpy()[event], ~live[event]
    good = np.array(matches.good)[match]
    valued = np.flatnonzero(by_value[match])
    if valued.size:
        good[valued] = _compared(matches, match[valued], observed["value"], event[valued])
        counted = valued[good[valued]]
        np.add.at(sums.good, row[counted], n[counted])
        np.add.at(sums.live_good, row[counted], n[counted])
    np.subtract.at(sums.live_n, row[late], n[late])
    np.subtract.at(sums.live_good, row[late & good], n[late & good])


def _compared(matches: _Matches, match: Ints, value: pl.Series, event: Ints) -> Mask:
    """Whether the value of each of these events compares as its match says."""
    values = value.gather(event)
    wide = any(abs(each.bound or 0) > _WIDEST for each in matches.chosen)
    narrow = value.dtype == pl.Int64 and not wide
    numbers: npt.NDArray[np.generic] = values.to_numpy() if narrow else np.array(values.to_list(), dtype=object)
    bounds = np.array([each.bound or 0 for each in matches.chosen], dtype=np.int64 if narrow else object)[match]
    comparisons = np.array([each.comparison for each in matches.chosen])[match]
    good = np.zeros(len(event), dtype=np.bool_)
    for comparison, compare in _COMPARED.items():
        mine = np.flatnonzero(comparisons == comparison)
        good[mine] = compare(numbers[mine], bounds[mine]).astype(np.bool_)
    return good


def _facts(matches: _Matches, series: Ints, minute: Ints, sums: _Sums, context: FoldContext) -> pl.DataFrame:
    starts, places = np.unique(minute, return_inverse=True)
    tally = regroup(Tally(np.arange(len(series)), {"n": sums.n, "total": sums.good}, None), series * len(starts) + places)
    keys = list(matches.keys)
    described = pl.DataFrame(
        {
            "tenant": pl.Series([key[0] for key in keys], dtype=pl.Int32),
            "kind": pl.Series([KIND], dtype=pl.String).new_from_index(0, len(keys)),
            "account": [key[1] for key in keys],
            "dims": [_dims(key[2], key[3]) for key in keys],
        }
    )
    return facts_from(Minutes(described, series, grain_of(tally, starts)), context)


def _dims(name: str, excluded: str) -> str:
    """The dimensions of an SLO's series, as `facts` writes them."""
    return msgspec.json.encode({_EXCLUDED: excluded, KIND: name} if excluded else {KIND: name}).decode()


def _fed(matches: _Matches, series: Ints, sums: _Sums) -> pl.DataFrame:
    """SLOS: what is live and not excluded."""
    total, good = np.zeros(len(matches.keys), dtype=np.int64), np.zeros(len(matches.keys), dtype=np.int64)
    np.add.at(total, series, sums.live_n)
    np.add.at(good, series, sums.live_good)
    rows = [
        (tenant, name, int(good[place]), int(total[place]))
        for (tenant, _, name, excluded), place in matches.keys.items()
        if not excluded and total[place]
    ]
    return added_slos(pl.DataFrame(rows, schema=SLOS, orient="row"))
