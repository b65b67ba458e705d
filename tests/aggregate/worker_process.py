"""An aggregator in a process of its own, to be killed and stopped by tests; where its log is, the environment says."""

import asyncio
import sys

from service.aggregate.worker import Worker
from service.clock import SystemClock
from service.eventlog.opening import log_kind, open_log
from service.settings import Settings
from service.store.engine import create_pool
from service.store.installation import ensure_installation
from service.telemetry import Telemetry


async def main(url: str) -> None:
    """Work until the process ends."""
    settings = Settings(partitions=4, flush_interval_s=0.01, flush_events=100).model_copy(update={"lease_s": 0.6})
    pool = await create_pool(url)
    async with pool.acquire() as connection:
        installation = await ensure_installation(connection, settings, log_kind=log_kind(settings))
    words = {"generation": installation.generation, "partitions": installation.partitions}
    log = await open_log(settings, pool, **words, clock=SystemClock(), kind=installation.log_kind)
    worker = Worker(
        log=log,
        pool=pool,
        settings=settings,
        clock=SystemClock(),
        telemetry=Telemetry("aggregate"),
        installation=installation,
    )
    await worker.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
