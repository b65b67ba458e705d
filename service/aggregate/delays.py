"""How long events take from their time until they are visible: known once their flush is committed, told with the next one."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl

from service.aggregate.batch import Batch
from service.aggregate.grouping import codes, grouped_rows
from service.aggregate.outcomes import Rows
from service.aggregate.policy import Ints, Outcome, Outcomes
from service.clock import MINUTE, SECOND

MAX_WAITING: Final = 100
"""Batches whose delays wait for a flush; each flush takes all of them, so there is one, two where a flush fails."""
_DIGITS: Final = 9
"""Binary digits of an age, in milliseconds, that are kept: within 0.1 %, so that a backlog has no age an event."""
_MILLISECOND: Final = SECOND // 1_000
_NS_PER_US: Final = 1_000
OBSERVED: Final = pl.Schema(
    {
        "tenant": pl.Int32(),
        "account": pl.String(),
        "source": pl.String(),
        "time_us": pl.Int64(),
        "n": pl.Int64(),
        "value": pl.Int64(),
    }
)
"""By source and minute of receipt (`time_us`): how many events took so long, in nanoseconds."""


def ages(batch: Batch, outcomes: Outcomes, *, now_us: int) -> pl.DataFrame:
    """How old the stored events are at `now_us`, as OBSERVED; history is left out, and clocks that are ahead count as 0."""
    start, told = 0, [OBSERVED.to_frame()]
    for frame in batch.frames.values():
        stored = outcomes[start : start + len(frame)] == Outcome.STORED
        start += len(frame)
        looked_at = frame.select("tenant", "source", *codes(frame, "source"), "received_us", "time_us", "backfill")
        live = looked_at.filter(pl.Series(stored) & ~frame["backfill"])
        if live.is_empty():
            continue
        age_ms = np.maximum(now_us - live["time_us"].to_numpy(), 0) // _MILLISECOND
        told_of = live.select("tenant", "source", *codes(live, "source"), time_us=pl.col("received_us") // MINUTE * MINUTE)
        keys, of_row = grouped_rows(told_of.with_columns(value=pl.Series(rounded(age_ms) * _MILLISECOND * _NS_PER_US)))
        counted = np.bincount(of_row, minlength=len(keys))
        told.append(keys.with_columns(account=pl.lit(""), n=counted).select(OBSERVED.names()))
    return pl.concat(told)


def rounded(age_ms: Ints) -> Ints:
    """Ages to the nearest of those with few digits: exact below half a second."""
    exponents = np.frexp(age_ms.astype(np.float64))[1]
    step: Ints = np.left_shift(1, np.maximum(exponents - _DIGITS, 0).astype(np.int64))
    return (age_ms + step // 2) // step * step


@dataclass(slots=True)
class Delays:
    """Those of committed batches, until a flush takes them along; one that fails gives them back. A crash loses them."""

    _waiting: deque[pl.DataFrame] = field(default_factory=lambda: deque(maxlen=MAX_WAITING))
    _taken: dict[int, pl.DataFrame] = field(default_factory=dict)
    """By the batch whose flush takes them along."""

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, told: pl.DataFrame, *, later_us: int) -> None:
        """Events became visible so much later than their ages were looked at."""
        if len(told):
            self._waiting.append(told.with_columns(pl.col("value") + max(0, later_us) * _NS_PER_US))

    def take(self, number: int) -> pl.DataFrame:
        """All of them, as OBSERVED, for the flush of a batch: told when it is committed, else given back."""
        taken = pl.concat([OBSERVED.to_frame(), *self._waiting])
        self._waiting.clear()
        self._taken[number] = taken
        return taken

    def told(self, number: int) -> None:
        """A batch is committed, and what it took along with it."""
        self._taken.pop(number, None)

    def give_back(self) -> None:
        """Batches under way are dropped: what they took waits again."""
        self._waiting.extend(frame for frame in self._taken.values() if len(frame))
        self._taken.clear()


def dirty_with(rows: Sequence[tuple[Any, ...]], touched: pl.DataFrame) -> Rows:
    """Rows of tenants and spans of time, widened by other instants that change (tenant, time_us).

    Those are the minutes of receipt that delays are told of, and when sessions began whose end has come.
    """
    spans = {tenant: (newest, oldest) for tenant, newest, oldest in rows}
    of_others = touched.group_by("tenant").agg(newest=pl.col("time_us").max(), oldest=pl.col("time_us").min())
    for tenant, newest, oldest in of_others.iter_rows():
        known = spans.get(tenant, (newest, oldest))
        spans[tenant] = max(known[0], newest), min(known[1], oldest)
    return [(tenant, *span) for tenant, span in sorted(spans.items())]
