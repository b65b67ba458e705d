"""Looking at the ledger again and again, so that somebody is told when it does not add up."""

from dataclasses import dataclass

import asyncpg
import structlog

from service.evaluate.task import Task
from service.eventlog.balance import LogCounts
from service.store import ledger
from service.telemetry import Telemetry

AUDIT_EVERY_S = 300.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Audit:
    """The task that adds the ledger up; `counts`: of a log that does not lie in the database."""

    pool: asyncpg.Pool
    counts: LogCounts | None
    telemetry: Telemetry

    def task(self) -> Task:
        """What is to be done, and how often."""
        return Task("ledger", AUDIT_EVERY_S, self.once)

    async def once(self) -> None:
        """Add the ledger up at one instant; what does not add up is logged and counted."""
        async with self.pool.acquire() as connection:
            report = await ledger.check(connection, self.counts)
        self.telemetry.ledger_mistakes.set(len(report.mistakes))
        for mistake in report.mistakes:
            log.error("ledger.mistake", says=mistake, way_out="run `tidegauge check`")
