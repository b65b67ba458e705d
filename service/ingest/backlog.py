"""The log's backlog: what was appended and not yet consumed, and the limit above which no more is taken."""

import asyncio

import asyncpg
import structlog

from service.errors import Overloaded, TidegaugeError
from service.eventlog.port import EventLog
from service.store import progress
from service.store.engine import FAILURES
from service.telemetry import Telemetry

LOOK_INTERVAL_S = 2.0
RETRY_AFTER_S = 10

log = structlog.get_logger(__name__)


class LogBacklog:
    """How many events of the log no aggregator has consumed, as of the last look (every LOOK_INTERVAL_S)."""

    def __init__(self, event_log: EventLog, pool: asyncpg.Pool, telemetry: Telemetry, *, most: int) -> None:
        self._log = event_log
        self._pool = pool
        self._gauge = telemetry.log_backlog
        self._most = most
        self._events = 0
        telemetry.log_backlog_limit.set(most)

    def check(self) -> None:
        """Raises Overloaded above the limit: aggregators cannot keep up, and the log would fill its disk."""
        if self._events > self._most:
            raise Overloaded(
                f"{self._events:,} events of the log wait for an aggregator, and at most {self._most:,} may: try again later",
                retry_after_s=RETRY_AFTER_S,
            )

    async def look(self) -> int:
        """Count again; raises LogUnavailable and the errors of Postgres."""
        extents = await self._log.extents()
        async with self._pool.acquire() as connection:
            consumed = await progress.positions(connection, self._log.generation)
        self._events = sum(max(0, extent.events - consumed[partition].events) for partition, extent in extents.items())
        self._gauge.set(self._events)
        return self._events

    async def keep(self) -> None:
        """Count for ever; while Postgres does not answer, the last count stands."""
        while True:
            try:
                await self.look()
            except (TidegaugeError, *FAILURES) as error:
                log.warning("log_backlog_unknown", error=str(error) or type(error).__name__)
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def room(self) -> None:
        """Wait until the backlog is within its limit; raises as `look` does."""
        while await self.look() > self._most:  # noqa: ASYNC110  # the log sets no event of ours
            await asyncio.sleep(LOOK_INTERVAL_S)
