"""How long events take from their time until they are visible: known once their flush is committed, told with the next one."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl

from service.aggregate.batch import Batch
from service.aggregate.grouping import numbered
from service.aggregate.outcomes import Rows
from service.aggregate.policy import Ints, Outcome, Outcomes
from service.aggregate.records.compiling import compiled
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
    heads = batch.heads
    live = (outcomes == Outcome.STORED) & ~heads.backfill
    if not live.any():
        return OBSERVED.to_frame()
    every = live.all()
    tenant, source, time_us, received_us = (
        column if every else column[live] for column in (heads.tenant, heads.source, heads.time_us, heads.received_us)
    )
    minute, age_ms = received_us // MINUTE, rounded(np.maximum(now_us - time_us, 0) // _MILLISECOND)
    of_row, firsts = numbered([tenant, source, minute, age_ms], len(tenant))
    told = {
        "tenant": tenant[firsts],
        "account": pl.Series([""], dtype=pl.String).new_from_index(0, len(firsts)),
        "source": batch.sources.gather(source[firsts]),
        "time_us": minute[firsts] * MINUTE,
        "n": np.bincount(of_row, minlength=len(firsts)),
        "value": age_ms[firsts] * (_MILLISECOND * _NS_PER_US),
    }
    return pl.DataFrame(told, schema_overrides=OBSERVED)


def rounded(age_ms: Ints) -> Ints:
    """Ages to the nearest of those with few digits: exact below half a second."""
    near = np.empty(len(age_ms), dtype=np.int64)
    _round(age_ms, near)
    return near


def prepare() -> None:
    """Have everything compiled."""
    rounded(np.arange(2))


@compiled
def _round(age_ms: Ints, near: Ints) -> None:
    for row in range(len(age_ms)):
        step = 1
        while age_ms[row] >> _DIGITS >= step:
            step *= 2
        near[row] = (age_ms[row] + step // 2) // step * step


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
