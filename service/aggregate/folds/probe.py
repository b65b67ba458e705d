"""Health checks: for each quarter of an hour of a monitor the seconds that it spoke for, as bits."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from service.aggregate.context import FoldContext
from service.aggregate.deltas import PROBES, Deltas
from service.aggregate.folds.fold import Fold
from service.aggregate.folds.merge import BIT_COLUMNS, PROBE_KEYS
from service.aggregate.grouping import grouped_rows
from service.clock import DAY, QUARTER, SECOND

QUARTER_S = QUARTER // SECOND
ANNOUNCED_AHEAD_US = 7 * DAY
_CHUNK = 4_096
"""Quarters that are drawn at once: a bound on memory, not on the batch."""

Ints = npt.NDArray[np.int64]


def fold(events: pl.DataFrame, context: FoldContext) -> Deltas:
    """A row for each monitor and quarter that a probe speaks for.

    A probe stands for `interval_s` seconds from the second of its time on. It counts in the quarter of its time;
    an excluded one marks its seconds as excluded and counts nowhere; a planned one leaves the figure only when it was
    announced seven days before.
    """
    kept = pl.col("bucket").is_between(context.quarter_from_us, context.quarter_until_us, closed="left")
    spans = _spans(events).filter(kept)
    if spans.is_empty():
        return Deltas()
    keys, of_row = grouped_rows(spans.select(PROBE_KEYS))
    order = np.argsort(of_row, kind="stable")
    spans, of_row = spans[order], of_row[order]
    starts = np.searchsorted(of_row, np.arange(len(keys)))
    made = keys.get_columns()
    for name in BIT_COLUMNS:
        made.append(pl.Series(name, list(_drawn(spans, of_row, len(keys), name)), dtype=pl.Binary))
    for name in ("probes", "probes_up"):
        made.append(pl.Series(name, np.add.reduceat(spans[name].to_numpy(), starts)))
    return Deltas(probes=pl.DataFrame(made).select(PROBES.names()))


def _spans(events: pl.DataFrame) -> pl.DataFrame:
    """A row for each quarter that a probe reaches into: the seconds `begin` up to, not including, `end` of it."""
    counts, first = pl.col("excluded") == "", pl.col("bucket") == pl.col("time_us") // QUARTER * QUARTER
    start_s = pl.col("time_us") // SECOND
    end_s = start_s + pl.col("interval_s")
    announced = pl.col("announced_us").is_not_null() & (pl.col("announced_us") <= pl.col("time_us") - ANNOUNCED_AHEAD_US)
    return (
        events.with_columns(pl.int_ranges(start_s // QUARTER_S, (end_s - 1) // QUARTER_S + 1).alias("quarter"))
        .explode("quarter")
        .with_columns(
            bucket=pl.col("quarter") * QUARTER,
            begin=(start_s - pl.col("quarter") * QUARTER_S).clip(lower_bound=0),
            end=(end_s - pl.col("quarter") * QUARTER_S).clip(upper_bound=QUARTER_S),
        )
        .select(
            *PROBE_KEYS,
            "begin",
            "end",
            probes=(first & counts).cast(pl.Int64),
            probes_up=(first & counts & pl.col("up")).cast(pl.Int64),
            up=counts & pl.col("up"),
            down=counts & ~pl.col("up"),
            degraded=counts & pl.col("degraded"),
            planned=counts & pl.col("planned") & announced,
            excluded=~counts,
        )
    )


def _drawn(spans: pl.DataFrame, of_row: Ints, groups: int, name: str) -> Iterator[bytes]:
    """For each group the seconds that its marked spans cover: 900 bits, the first second first."""
    marked = spans[name].to_numpy()
    group, begin, end = of_row[marked], spans["begin"].to_numpy()[marked], spans["end"].to_numpy()[marked]
    nothing = bytes(-(-QUARTER_S // 8))
    if not group.size:
        yield from (nothing for _ in range(groups))
        return
    for low in range(0, groups, _CHUNK):
        high = min(low + _CHUNK, groups)
        chosen = slice(*np.searchsorted(group, [low, high]))
        # One up where a span begins, one down where it ends: the running sum says how many cover a second.
        steps = np.zeros((high - low, QUARTER_S + 1), dtype=np.int32)
        np.add.at(steps, (group[chosen] - low, begin[chosen]), 1)
        np.add.at(steps, (group[chosen] - low, end[chosen]), -1)
        covered = np.cumsum(steps[:, :QUARTER_S], axis=1, dtype=np.int32) > 0
        yield from (row.tobytes() for row in np.packbits(covered, axis=1))


PROBE = Fold(
    family="probe",
    fold=fold,
    names={"component": "component", "monitor": "monitor", "region": "region", "excluded": "excluded"},
)
