"""The role `aggregate`, built."""

import asyncio

from service.aggregate.worker import Worker
from service.expose import readiness
from service.following import follow, until_stopped_or_moved
from service.settings import Settings
from service.store.installation import Installation
from service.store.partitions import ensure_partitions
from service.wiring.base import base, operations

CONNECTIONS = 8


async def run_aggregate(settings: Settings, url: str) -> None:
    """The role `aggregate`: turns the log into rollups until it is asked to stop."""
    await follow(lambda current: _aggregate_on(current, url), settings)


async def _aggregate_on(settings: Settings, url: str) -> Installation | None:
    async with base(settings, url, role="aggregate", connections=CONNECTIONS) as made:
        worker = Worker(
            log=made.event_log,
            pool=made.pool,
            settings=settings,
            clock=made.clock,
            telemetry=made.telemetry,
            installation=made.installation,
        )
        async with made.pool.acquire() as connection:
            await ensure_partitions(connection, now_us=made.clock.now_us(), settings=settings)
        working = asyncio.create_task(worker.run(alone=True), name="worker")
        generation = made.installation.generation
        checks = {
            "leases": readiness.leases(made.pool, generation, lambda: worker.holding),
            "lag": readiness.lag(made.pool, generation, lambda: worker.holding, made.clock),
            "partitions": readiness.parked(lambda: worker.parked),
        }
        async with operations(made, "aggregate", checks):
            async with until_stopped_or_moved(made.pool, made.installation) as ending:
                await _first(working, ending.stop)
            await worker.stop()
            await working
    return ending.next


async def _first(working: asyncio.Task[None], stop: asyncio.Event) -> None:
    """Until the stop is asked for, or the work ends by itself (which raises what ended it)."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        working.result()
