"""What becomes of each event: duplicate first, then the time policy, and only stored ids are remembered.

A timed event looks in the bucket of its own hour, always the same one. An untimed one looks in those of
a day around its receipt: copies need not be read in the order in which they were received.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.aggregate.batch import Heads
from service.aggregate.grouping import numbered
from service.aggregate.policy import Mask, Outcome, Outcomes
from service.aggregate.seen import SeenIds
from service.clock import HOUR
from service.store.ids import Bucket

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

UNTIMED_H = 24
"""How many hours before or after its receipt a copy of an untimed event may have come: a topic may be read late."""
_PARTITION_SPAN = 1 << 16


@dataclass(frozen=True, slots=True)
class Group:
    """Events that look in the same buckets, in the order of their ids' first half."""

    bucket: Bucket
    timed: bool
    rows: Ints

    def lookups(self) -> Iterator[Bucket]:
        """Name the buckets where a copy may lie."""
        if self.timed:
            yield self.bucket
            return
        for hour in range(self.bucket.hour - UNTIMED_H, self.bucket.hour + UNTIMED_H + 1):
            yield Bucket(self.bucket.partition, hour)


def group(heads: Heads) -> list[Group]:
    """Group the events of a batch by bucket."""
    if not len(heads):
        return []
    by_id = np.argsort(heads.hi)
    # `time_us` is the receipt where an event names no time, so the hour is right for both.
    codes = ((heads.time_us // HOUR) * _PARTITION_SPAN + heads.partition) * 2 + heads.timed
    numbers, firsts = numbered([codes], len(codes))
    ascending = np.argsort(codes[firsts])
    distinct, rank = codes[firsts][ascending], np.argsort(ascending).astype(np.min_scalar_type(len(firsts)))
    by_group = by_id[np.argsort(rank[numbers[by_id]], kind="stable")]
    ends = np.cumsum(np.bincount(numbers, minlength=len(firsts))[ascending])
    groups = []
    for code, rows in zip(distinct.tolist(), np.split(by_group, ends[:-1]), strict=True):
        both, timed = divmod(code, 2)
        hour, partition = divmod(both, _PARTITION_SPAN)
        groups.append(Group(Bucket(partition, hour), bool(timed), rows))
    return groups


def buckets(groups: list[Group]) -> list[Bucket]:
    """Name the buckets that a batch looks in or adds to, each once."""
    return list(dict.fromkeys(bucket for group in groups for bucket in group.lookups()))


def decide(heads: Heads, groups: list[Group], verdicts: Outcomes, seen: SeenIds) -> Outcomes:
    """Decide about every event; `verdicts` is the time policy's view, `seen` holds all buckets of the batch.

    Of copies within the batch the first that may be stored is; those before it are refused each by itself,
    those after it are duplicates.
    """
    outcomes = verdicts.copy()
    for part in groups:
        hi, lo = heads.hi[part.rows], heads.lo[part.rows]
        for bucket in part.lookups():
            outcomes[part.rows[seen.contains(bucket, hi, lo)]] = Outcome.DUPLICATE
    _refuse_copies(heads, groups, outcomes)
    return outcomes


def stored_runs(groups: list[Group], outcomes: Outcomes) -> Iterator[tuple[Bucket, Ints]]:
    """Give the rows to remember by bucket, in the order of their ids' first half; a bucket may come twice."""
    for part in groups:
        rows = part.rows[outcomes[part.rows] == Outcome.STORED]
        if rows.size:
            yield part.bucket, rows


def _refuse_copies(heads: Heads, groups: list[Group], outcomes: Outcomes) -> None:
    """Decide about events with one id: the first that may be stored is, in the order of the log."""
    candidates = outcomes != Outcome.DUPLICATE
    alike = [rows[_may_be_alike(heads.hi[rows]) & candidates[rows]] for rows in _where_copies_meet(heads, groups)]
    together = np.concatenate(alike) if alike else np.empty(0, dtype=np.int64)
    # Within a record the families' order decides, which is that of the rows.
    rows = together[np.lexsort((together, heads.record[together], heads.lo[together], heads.hi[together]))]
    if not rows.size:
        return
    hi, lo = heads.hi[rows], heads.lo[rows]
    starts = np.flatnonzero(np.append(True, (hi[1:] != hi[:-1]) | (lo[1:] != lo[:-1])))
    sizes = np.diff(np.append(starts, len(rows)))
    timed = np.logical_and.reduceat(heads.timed[rows], starts)
    _refuse_timed(rows, starts, sizes, np.repeat(timed, sizes), outcomes)
    for start, size in zip(starts[~timed & (sizes > 1)].tolist(), sizes[~timed & (sizes > 1)].tolist(), strict=True):
        _first_counts(heads, rows[start : start + size].tolist(), outcomes)


def _refuse_timed(rows: Ints, starts: Ints, sizes: Ints, timed: Mask, outcomes: Outcomes) -> None:
    """Of sets that have a time, wherever `timed`, what comes after the first that may be stored is a duplicate."""
    storable = outcomes[rows] == Outcome.STORED
    before = np.cumsum(storable) - storable
    outcomes[rows[timed & (before > np.repeat(before[starts], sizes))]] = Outcome.DUPLICATE


def _may_be_alike(hi: Words) -> Mask:
    """Which first halves, in their order, have an equal one beside them."""
    alike = np.zeros(len(hi), dtype=np.bool_)
    equal = hi[1:] == hi[:-1]
    alike[1:] = equal
    alike[:-1] |= equal
    return alike


def _where_copies_meet(heads: Heads, groups: list[Group]) -> Iterator[Ints]:
    """Rows in the order of their ids' first half: copies of a timed event are in one group, others may lie hours apart."""
    untimed = [part.rows for part in groups if not part.timed]
    yield from (part.rows for part in groups if part.timed)
    if untimed:
        rows = np.concatenate(untimed)
        yield rows[np.argsort(heads.hi[rows])] if len(untimed) > 1 else rows


def _first_counts(heads: Heads, rows: list[int], outcomes: Outcomes) -> None:
    """Of a set that may lie hours apart, what comes within a day of one that is stored is a duplicate."""
    hours: list[int] = []
    for row in rows:
        hour = int(heads.time_us[row]) // HOUR
        if any(heads.timed[row] or abs(kept - hour) <= UNTIMED_H for kept in hours):
            outcomes[row] = Outcome.DUPLICATE
        elif outcomes[row] == Outcome.STORED:
            hours.append(hour)
