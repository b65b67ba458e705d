"""The aggregator's loop: read, prepare, flush; the next batch is prepared while this one commits."""

import asyncio
import contextlib
from collections.abc import Mapping

import asyncpg
import structlog

from service.aggregate.flusher import Flusher
from service.aggregate.holding import Holding
from service.aggregate.memory import keep_trimmed, settle
from service.aggregate.moves import moves_of, within_limit
from service.aggregate.pipeline import REST, Pipeline, Prepared, compile_all
from service.aggregate.policy import TimePolicy
from service.aggregate.report import Report, describe
from service.clock import SECOND, Clock
from service.domain.ids import Offset, Partition
from service.errors import BatchStale, LeaseLost, Transient
from service.eventlog.port import EventLog
from service.lifecycle import cancel
from service.settings import Settings
from service.store import progress
from service.store.engine import FAILURES
from service.store.flush import Move
from service.store.installation import Installation
from service.store.partitions import ensure_partitions
from service.telemetry import Telemetry

READ_WAIT_S = 0.2
DRAINED_INTERVAL_S = 1.0
IDLE_S = 0.2
EVENT_BYTES = 150
"""About what an event takes in the log: bounds a batch in bytes before it is counted."""
FIRST_BACKOFF_S = 0.1
LONGEST_BACKOFF_S = 5.0
LOOK_AHEAD_INTERVAL_S = 600.0

log = structlog.get_logger(__name__)


class Worker:
    """One aggregator. Any number of them share the log's partitions, in one process and in several."""

    def __init__(
        self,
        *,
        log: EventLog,
        pool: asyncpg.Pool,
        settings: Settings,
        clock: Clock,
        telemetry: Telemetry,
        installation: Installation,
    ) -> None:
        self._log = log
        self._pool = pool
        self._settings = settings
        self._clock = clock
        policy = TimePolicy(installation.max_lateness_s * SECOND, settings.max_skew_s * SECOND)
        words = {"generation": log.generation, "partitions": log.partitions}
        self._pipeline = Pipeline.build(pool, settings, **words, policy=policy, clock=clock)
        self._holding = Holding(pool, log.generation, log.partitions, settings.lease_s)
        self._flusher = Flusher(pool, log.generation, self._holding)
        self._report = Report(log, pool, clock, telemetry, self._holding, self._pipeline.seen)
        self._next: dict[Partition, Offset] = {}
        """Where to read on, past the batches under way."""
        self._parked: set[Partition] = set()
        self._flushing: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._backoff_s = FIRST_BACKOFF_S
        self._drained_at = float("-inf")

    @property
    def holding(self) -> frozenset[Partition]:
        """Partitions that this worker holds."""
        return frozenset(self._holding.held)

    @property
    def parked(self) -> frozenset[Partition]:
        """Partitions whose next record this release cannot read."""
        return frozenset(self._parked)

    async def run(self, *, alone: bool = False) -> None:
        """Work until `stop` is called or the task is cancelled. `alone`: the process does nothing else, and is settled for it.

        Whatever may pass is tried again, with a growing pause. Raises OffsetOutOfRange where the log does not hold
        what is to be read next. A partition with a record that this release cannot read is parked.
        """
        beside: list[asyncio.Task[None]] = []
        try:
            # Before leases are taken: another worker may work meanwhile.
            await asyncio.to_thread(compile_all)
            if alone:
                settle()
            while not self._stopping.is_set():
                try:
                    if not beside:
                        await self._holding.join()
                        keeping = (self._holding.keep(), self._report.keep(), self._look_ahead(), keep_trimmed())
                        beside = [asyncio.create_task(each) for each in keeping]
                    await self._round()
                    self._backoff_s = FIRST_BACKOFF_S
                    for task in beside:
                        if task.done():
                            task.result()
                except (Transient, *FAILURES) as error:
                    await self._recover(error)
            await self._finish()
        finally:
            await cancel([*beside, *([self._flushing] if self._flushing else [])])
            await self._flusher.disconnect()
            self._stopped.set()

    async def stop(self) -> None:
        """Flush what has been read, give the leases back, and wait until `run` has ended."""
        self._stopping.set()
        await self._stopped.wait()

    async def _round(self) -> None:
        await self._flusher.connect()
        await self._balance()
        positions = {partition: offset for partition, offset in self._next.items() if partition not in self._parked}
        if not positions:
            await self._pause(IDLE_S)
            return
        loop = asyncio.get_running_loop()
        began_s, looked_us = loop.time(), self._clock.now_us()
        max_bytes = self._settings.flush_events * EVENT_BYTES
        records = await self._log.read(positions, max_bytes=max_bytes, wait_s=READ_WAIT_S)
        busy = {record.partition for record in records}
        drained = {partition: offset for partition, offset in positions.items() if partition not in busy}
        if not records:
            await self._idle(drained, looked_us)
            return
        prepared = await self._pipeline.prepare(within_limit(records, self._settings.flush_events))
        self._park(prepared.batch.unreadable)
        await self._settle()
        moves = moves_of(prepared.batch, self._holding.held, drained, looked_us)
        for partition, span in prepared.batch.spans.items():
            self._next[partition] = span.next
        self._flushing = asyncio.create_task(self._flush(prepared, moves))
        if prepared.batch.events < self._settings.flush_events // 2:
            await self._pause(self._settings.flush_interval_s - (loop.time() - began_s))

    async def _flush(self, prepared: Prepared, moves: list[Move]) -> None:
        with self._report.flushing(prepared):
            await self._flusher.write(prepared.staged, moves)
        self._pipeline.committed(prepared)
        self._report.committed(prepared)
        self._log.consumed({partition: span.next for partition, span in prepared.batch.spans.items()})

    async def _settle(self) -> None:
        """Wait for the flush under way; raises what it raised."""
        if self._flushing is not None:
            flushing, self._flushing = self._flushing, None
            await flushing

    async def _idle(self, drained: Mapping[Partition, Offset], looked_us: int) -> None:
        """Nothing is left to read: say so, at most every DRAINED_INTERVAL_S, for the watermark."""
        await self._settle()
        await self._tell_delays()
        now_s = asyncio.get_running_loop().time()
        if now_s - self._drained_at < DRAINED_INTERVAL_S:
            return
        self._drained_at = now_s
        epochs = {partition: lease.epoch for partition, lease in self._holding.held.items()}
        async with self._pool.acquire() as connection:
            await progress.mark_drained(
                connection,
                generation=self._log.generation,
                owner=self._holding.owner,
                seen={partition: offset for partition, offset in drained.items() if partition in epochs},
                epochs=epochs,
                at_us=looked_us,
            )
        self._pipeline.refresh()

    async def _tell_delays(self) -> None:
        """Write how long the last events took, where no batch takes it along."""
        if self._pipeline.delays:
            await self._flusher.write(await self._pipeline.rest(), [])
            self._pipeline.delays.told(REST)

    async def _balance(self) -> None:
        """Let go of what is lost or beyond our share, take what is missing, and know where to read on."""
        if gone := self._holding.take_lost():
            await self._settle()
            self._let_go(gone)
        if surplus := self._holding.surplus():
            await self._settle()
            await self._holding.release(surplus)
            self._let_go(surplus)
        # Whatever is kept of them from before is worthless, however they were lost: others may have stored ids there.
        self._let_go(await self._holding.take_share())
        if unknown := self._holding.held.keys() - self._next.keys():
            async with self._pool.acquire() as connection:
                stand = await progress.positions(connection, self._log.generation)
            self._next |= {partition: stand[partition].next_offset for partition in unknown}

    async def _look_ahead(self) -> None:
        """Have tables for the days ahead, should no evaluator be there, and know what there is: under load, too."""
        while True:
            await asyncio.sleep(LOOK_AHEAD_INTERVAL_S)
            try:
                async with self._pool.acquire() as connection:
                    await ensure_partitions(connection, now_us=self._clock.now_us(), settings=self._settings)
            except (Transient, *FAILURES) as error:
                log.warning("partitions.not_made", error=describe(error))
            self._pipeline.refresh()

    def _let_go(self, partitions: set[Partition]) -> None:
        self._pipeline.seen.forget(partitions)
        self._parked -= partitions
        for partition in partitions:
            self._next.pop(partition, None)

    def _park(self, unreadable: Mapping[Partition, str]) -> None:
        for partition, reason in unreadable.items():
            self._parked.add(partition)
            log.error("partition.parked", partition=partition, reason=reason, way_out="upgrade this release and start it again")

    async def _recover(self, error: Exception) -> None:
        """Drop all that is under way, and after a pause read on from where Postgres says."""
        log.warning("worker.recovers", worker=str(self._holding.owner), error=describe(error), pause_s=self._backoff_s)
        await cancel([self._flushing] if self._flushing else [])
        self._flushing = None
        if isinstance(error, FAILURES):
            # What state a connection is in after an error of its own is not worth finding out.
            await self._flusher.disconnect()
        self._pipeline.reset(stale=isinstance(error, BatchStale))
        self._next.clear()
        await self._pause(self._backoff_s)
        self._backoff_s = min(LONGEST_BACKOFF_S, self._backoff_s * 2)
        if isinstance(error, LeaseLost):
            # Ask at once which leases are gone instead of failing until the next renewal.
            with contextlib.suppress(*FAILURES):
                async with self._pool.acquire() as connection:
                    await self._holding.renew(connection)

    async def _finish(self) -> None:
        with contextlib.suppress(Transient, *FAILURES):
            await self._settle()
            await self._tell_delays()
        with contextlib.suppress(*FAILURES):
            await self._holding.leave()

    async def _pause(self, seconds: float) -> None:
        """Wait, but not when we are to stop."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)
