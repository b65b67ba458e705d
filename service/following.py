"""Roles follow the log: when the next generation is opened, each ends as on SIGTERM and begins anew on it, in one process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import structlog

from service.lifecycle import cancel, stop_signals
from service.settings import Settings
from service.store.engine import FAILURES
from service.store.installation import Installation, installed

LOOK_INTERVAL_S = 1.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Ending:
    """Why a role ends: it was asked to stop, or the log goes on in another generation."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    next: Installation | None = None
    """The installation as it is now; None: asked to stop."""


@asynccontextmanager
async def until_stopped_or_moved(pool: asyncpg.Pool, installation: Installation) -> AsyncIterator[Ending]:
    """Have `stop` set by a signal, and by another generation of the log than the one of `installation`."""
    ending = Ending()
    with stop_signals() as asked:
        watching = [
            asyncio.create_task(_listen(asked, ending), name="signals"),
            asyncio.create_task(_watch(pool, installation.generation, ending), name="generation"),
        ]
        try:
            yield ending
        finally:
            await cancel(watching)
            if asked.is_set():
                ending.next = None


async def follow(role: Callable[[Settings], Awaitable[Installation | None]], settings: Settings) -> None:
    """Run a role again on each generation that it is led to; what it raises ends it.

    The number of partitions is then the installation's: whoever opened a generation has decided it for those that run.
    """
    while (moved := await role(settings)) is not None:
        log.info("log_moved", generation=moved.generation, log=moved.log_kind, partitions=moved.partitions)
        settings = settings.model_copy()
        # Nobody has set it for the generation that comes next: the installation's holds, also when that has moved on already.
        settings.model_fields_set.discard("partitions")


async def _listen(asked: asyncio.Event, ending: Ending) -> None:
    await asked.wait()
    ending.stop.set()


async def _watch(pool: asyncpg.Pool, generation: int, ending: Ending) -> None:
    while not ending.stop.is_set():
        try:
            async with pool.acquire() as connection:
                found = await installed(connection)
        except FAILURES as error:
            # What is appended to a sealed generation is refused, so nothing hurries.
            log.debug("generation_unknown", error=str(error) or type(error).__name__)
            found = None
        if found is not None and found.generation != generation:
            ending.next = found
            ending.stop.set()
            return
        await asyncio.sleep(LOOK_INTERVAL_S)
