"""The evaluator: one process of an installation keeps live values and does the upkeep; others stand by."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from uuid import uuid4

import asyncpg
import structlog

from service.catalog import Catalog
from service.clock import SECOND, Clock
from service.errors import LeaseLost, TidegaugeError
from service.evaluate.closing import Closing
from service.evaluate.ground import Grounds
from service.evaluate.guests import GuestTurns
from service.evaluate.rounds import ROUNDS, LiveRound
from service.evaluate.slos import EVERY_S as SLOS_EVERY_S
from service.evaluate.slos import SloCounting
from service.evaluate.task import Task
from service.evaluate.upkeep import Upkeep
from service.lifecycle import being_cancelled, cancel
from service.settings import Settings
from service.store import leases
from service.store.engine import FAILURES
from service.store.installation import EVALUATE_LEASE, Installation
from service.store.leases import Backend, Lease, Member
from service.store.progress import watermark_us
from service.telemetry import Telemetry

HISTORY_EVERY_S = 15.0
RETRY_S = 1.0

log = structlog.get_logger(__name__)


class Evaluator:
    """Holds the lease `evaluate` while it can, and does everything that is to be done once for all."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        catalog: Catalog,
        upkeep: Upkeep,
        clock: Clock,
        settings: Settings,
        installation: Installation,
        telemetry: Telemetry,
        guests: GuestTurns,
        others: Sequence[Task] = (),
    ) -> None:
        """`others`: tasks of other parts that one process of an installation does for all."""
        self._others = others
        self._pool = pool
        self._catalog = catalog
        self._upkeep = upkeep
        self._clock = clock
        self._settings = settings
        self._installation = installation
        self._telemetry = telemetry
        self._guests = guests
        self._member = Member(uuid4(), EVALUATE_LEASE, socket.gethostname(), os.getpid())
        self._lease: Lease | None = None
        telemetry.evaluator_active.set_function(lambda: float(self.holds_lease))

    @property
    def holds_lease(self) -> bool:
        """Whether this process evaluates, and does not only stand by."""
        return self._lease is not None

    async def run(self, stop: asyncio.Event) -> None:
        """Evaluate, or stand by, until `stop`; errors of the database are waited out."""
        while not stop.is_set():
            try:
                await self._term(stop)
            except LeaseLost as error:
                log.info("evaluator_stands_by", why=str(error))
            except (TidegaugeError, *FAILURES) as error:
                log.warning("evaluator_interrupted", error=repr(error))
            finally:
                self._lease = None
                self._guests.clear()
            await _pause(stop, RETRY_S)
        await self._leave()

    async def _term(self, stop: asyncio.Event) -> None:
        """One stretch of holding the lease; returns when `stop` is set, raises LeaseLost when another one took over."""
        async with self._pool.acquire() as connection:
            backend = await leases.backend_of(connection)
            await leases.beat(connection, self._member, lease_s=self._settings.lease_s)
            taken = await leases.take(
                connection,
                owner=self._member.id,
                resources=[EVALUATE_LEASE],
                most=1,
                lease_s=self._settings.lease_s,
                backend=backend,
            )
            if not taken:
                return
            self._lease = taken[0]
            log.info("evaluator_took_over", epoch=self._lease.epoch)
            try:
                await self._work(self._lease, connection, backend, stop)
            finally:
                if not connection.is_closed():
                    await leases.release(connection, owner=self._member.id, leases=[self._lease])

    async def _work(
        self, lease: Lease, connection: asyncpg.pool.PoolConnectionProxy, backend: Backend, stop: asyncio.Event
    ) -> None:
        grounds = Grounds()
        closing = Closing(self._catalog, self._telemetry, grounds, self._clock, self._guests)
        counting = SloCounting(self._clock, grounds, self._telemetry, self._settings.slo_live_s * SECOND)
        rounds = [LiveRound(each, self._catalog, self._clock, self._telemetry, grounds, self._guests) for each in ROUNDS]

        async def renew() -> None:
            await leases.beat(connection, self._member, lease_s=self._settings.lease_s)
            held = await leases.renew(
                connection, owner=self._member.id, leases=[lease], lease_s=self._settings.lease_s, backend=backend
            )
            if lease.resource not in held:
                raise LeaseLost(f"{lease.resource}: another process has taken it")

        async def reached() -> int:
            async with self._pool.acquire() as other:
                reached_us = await watermark_us(other, self._installation.generation)
            # A receipt from a clock that is ahead closes nothing before its time.
            return min(reached_us, self._clock.now_us())

        async def close_windows() -> None:
            await closing.once(self._pool, self._member.id, lease, watermark_us=await reached())

        async def count_slos() -> None:
            await counting.once(self._pool, self._member.id, lease, watermark_us=await reached())

        def live(of: LiveRound) -> Callable[[], Awaitable[None]]:
            async def once() -> None:
                await of.once(self._pool, self._member.id, lease)

            return once

        tasks = [
            Task("lease", self._settings.lease_s / 3, renew, yields=False),
            *(Task(each.round.name, each.round.every_s, live(each)) for each in rounds),
            Task("history", HISTORY_EVERY_S, close_windows),
            Task("slos", SLOS_EVERY_S, count_slos),
            *self._upkeep.tasks(),
            *self._others,
        ]
        await self._all(tasks, stop)

    async def _all(self, tasks: Sequence[Task], stop: asyncio.Event) -> None:
        """Do tasks until `stop`; raises LeaseLost when one of them says so, or has ended: then nobody would do its work."""
        running = [asyncio.create_task(self._again(task, stop), name=task.name) for task in tasks]
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            ended, _ = await asyncio.wait([stopping, *running], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel([stopping, *running])
        for each in ended:
            if not each.cancelled() and (error := each.exception()) is not None:
                raise error
        if not stop.is_set():
            names = ", ".join(each.get_name() for each in ended)
            log.error("task_ended", task=names)
            raise LeaseLost(f"the task {names} has ended: all of them begin anew")

    async def _again(self, task: Task, stop: asyncio.Event) -> None:
        """Do a task for as long as the process lives; what fails is told, counted, and done again at its time."""
        while not stop.is_set():
            began = perf_counter()
            try:
                await task.once()
            except LeaseLost:
                raise
            except (TidegaugeError, *FAILURES) as error:
                if being_cancelled():
                    raise asyncio.CancelledError from error
                if task.name == "lease":
                    raise LeaseLost(f"{EVALUATE_LEASE}: could not be prolonged: {error}") from error
                log.warning("task_failed", task=task.name, error=repr(error))
            took_s = perf_counter() - began
            self._telemetry.evaluations.labels(round=task.name).observe(took_s)
            await _pause(stop, task.rest_s(took_s))

    async def _leave(self) -> None:
        with contextlib.suppress(*FAILURES):  # a Postgres that is away forgets us by itself
            async with self._pool.acquire() as connection:
                await leases.leave(connection, self._member)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
