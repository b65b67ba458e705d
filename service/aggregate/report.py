"""What an aggregator says of its work: metrics of flushes, lag, watermark, leases and ids held."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import numpy as np
import structlog

from service.aggregate.holding import Holding
from service.aggregate.outcomes import reasons
from service.aggregate.pipeline import Prepared
from service.aggregate.policy import REFUSED, Ints, Outcome
from service.aggregate.seen import SeenIds
from service.clock import SECOND, Clock
from service.domain.ids import Partition
from service.errors import BatchStale, LeaseLost, LogUnavailable, TidegaugeError
from service.eventlog.port import EventLog, Reached
from service.store import progress
from service.store.engine import FAILURES
from service.telemetry import Telemetry

OBSERVE_INTERVAL_S = 1.0
VISIBLE_STEP_US = 10_000
"""Delays are told apart by so much, far finer than the histogram's buckets."""

log = structlog.get_logger(__name__)


def describe(error: BaseException) -> str:
    """Say what went wrong, also where the error itself says nothing."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def cause(error: BaseException) -> str:
    """Name the cause of a failed flush, for its metric."""
    match error:
        case LeaseLost():
            return "lease"
        case BatchStale():
            return "stale"
        case LogUnavailable():
            return "log"
        case asyncio.CancelledError():
            return "cancelled"
        case _:
            return "store"


class Report:
    """Keeps the metrics of one worker."""

    def __init__(
        self, log: EventLog, pool: asyncpg.Pool, clock: Clock, telemetry: Telemetry, holding: Holding, seen: SeenIds
    ) -> None:
        self._log = log
        self._pool = pool
        self._clock = clock
        self._telemetry = telemetry
        self._holding = holding
        self._seen = seen
        self._gaps: int | None = None
        self._shown: set[Partition] = set()

    @contextmanager
    def flushing(self, prepared: Prepared) -> Iterator[None]:
        """Time a flush, and count it by cause where it fails."""
        began = time.perf_counter()
        try:
            yield
        except BaseException as error:
            self._telemetry.flush_failures.labels(cause(error)).inc()
            raise
        took_s = time.perf_counter() - began
        self._telemetry.flush_seconds.observe(took_s)
        log.debug(
            "flush.committed", events=prepared.batch.events, partitions=sorted(prepared.batch.spans), seconds=round(took_s, 4)
        )

    def committed(self, prepared: Prepared) -> None:
        """Count what a batch brought."""
        telemetry, batch = self._telemetry, prepared.batch
        counts = np.bincount(prepared.outcomes, minlength=len(Outcome))
        telemetry.consumed.labels("stored").inc(int(counts[Outcome.STORED]))
        telemetry.consumed.labels("duplicate").inc(int(counts[Outcome.DUPLICATE]))
        refused = sum(int(counts[outcome]) for outcome in REFUSED)
        telemetry.consumed.labels("dead_lettered").inc(refused + len(batch.rejected))
        for reason, count in reasons(prepared.staged.rows["dead_letter"]).items():
            telemetry.dead_letters.labels(reason).inc(count)
        telemetry.flush_events.observe(batch.events)
        for kind, count in prepared.over_limit.items():
            telemetry.names_over_limit.labels(kind).inc(count)
        for step, count in _counted(np.maximum(self._clock.now_us() - batch.heads.received_us, 0) // VISIBLE_STEP_US):
            telemetry.visible_seconds.observe_many(step * VISIBLE_STEP_US / SECOND, count)
        telemetry.dedupe_ids.set(self._seen.ids)
        telemetry.dedupe_bytes.set(self._seen.size_bytes)

    async def keep(self) -> None:
        """Look at lag, watermark and gaps every OBSERVE_INTERVAL_S, for ever."""
        while True:
            try:
                await self.observe()
            except (TidegaugeError, *FAILURES) as error:
                log.warning("lag.unknown", error=describe(error))
            await asyncio.sleep(OBSERVE_INTERVAL_S)

    async def observe(self) -> None:
        """Set the gauges of the partitions that are held, and of the watermark."""
        telemetry, now_us = self._telemetry, self._clock.now_us()
        held = set(self._holding.held)
        async with self._pool.acquire() as connection:
            stand = await progress.positions(connection, self._log.generation)
            gaps = await progress.gaps(connection, self._log.generation)
        reached = {p: Reached(each.next_offset, each.events) for p, each in stand.items() if p in held}
        lags = await self._log.lag(reached)
        # Several workers of a process show on one gauge: each adds its own.
        telemetry.leases.inc(len(held) - len(self._shown))
        for partition in self._shown - held:
            telemetry.lag_events.remove(str(partition))
            telemetry.lag_seconds.remove(str(partition))
        for partition, lag in lags.items():
            age_us = now_us - (stand[partition].reached_us or now_us) if lag else 0
            telemetry.lag_events.labels(str(partition)).set(lag)
            telemetry.lag_seconds.labels(str(partition)).set(max(0, age_us) / SECOND)
        self._shown = held
        watermark_us = min(each.reached_us for each in stand.values())
        if watermark_us:
            telemetry.watermark_age.set(max(0, now_us - watermark_us) / SECOND)
        if self._gaps is not None and gaps > self._gaps:
            telemetry.log_gaps.inc(gaps - self._gaps)
            log.error("log.gap", records=gaps - self._gaps, way_out="run `tidegauge check`")
        self._gaps = gaps


def _counted(values: Ints) -> Iterator[tuple[int, int]]:
    """Distinct values and how often each is there; fast where equal ones follow one another, as events of a request do."""
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1])) if values.size else np.empty(0, dtype=np.int64)
    lengths = np.diff(np.append(starts, len(values)))
    distinct, place = np.unique(values[starts], return_inverse=True)
    counts = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(counts, place, lengths)
    yield from zip(distinct.tolist(), counts.tolist(), strict=True)
