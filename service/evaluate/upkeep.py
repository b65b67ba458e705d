"""Upkeep of the database: segments, partitions of time, the log's tail, buckets of ids."""

from dataclasses import dataclass

import asyncpg
import structlog

from service.clock import DAY, HOUR, SECOND, Clock
from service.evaluate.task import Task
from service.eventlog.former import trim_former
from service.eventlog.port import EventLog
from service.settings import Settings
from service.store import ids, partitions, progress, segments
from service.store.installation import Installation

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """The tasks that one process of an installation does for all."""

    pool: asyncpg.Pool
    event_log: EventLog
    clock: Clock
    settings: Settings
    installation: Installation

    def tasks(self) -> list[Task]:
        """What is to be done, and how often."""
        return [
            Task("segments", 1.0, self.rebuild_segments),
            Task("partitions", 600.0, self.make_partitions),
            Task("log", 60.0, self.trim_log),
            Task("ids", 60.0, self.keep_ids),
        ]

    async def rebuild_segments(self) -> None:
        """Bring users' segments up to their traits."""
        async with self.pool.acquire() as connection:
            while await segments.rebuild(connection) == segments.MAX_CHUNKS:
                pass

    async def make_partitions(self) -> None:
        """Make partitions of time ahead, drop those that have expired."""
        now_us = self.clock.now_us()
        async with self.pool.acquire() as connection:
            made = await partitions.ensure_partitions(connection, now_us=now_us, settings=self.settings)
            ahead_us = now_us - await partitions.clock_us(connection)
            if ahead_us > DAY:
                # A partition that is dropped does not come back: one wrong clock must not do it.
                log.error(
                    "clock_ahead", ahead_s=ahead_us // SECOND, way_out="set this machine's clock; nothing is dropped until then"
                )
                dropped: list[str] = []
            else:
                dropped = await partitions.drop_expired(connection, now_us=now_us, settings=self.settings)
        if made or dropped:
            log.info("partitions", made=len(made), dropped=len(dropped))

    async def trim_log(self) -> None:
        """Drop records that all have read and that are older than what is kept."""
        async with self.pool.acquire() as connection:
            reached = await progress.positions(connection, self.installation.generation)
        keep_from = {partition: each.next_offset for partition, each in reached.items()}
        older_than_us = self.clock.now_us() - self.settings.log_retention_h * HOUR
        dropped = await self.event_log.trim(keep_from, older_than_us=older_than_us)
        dropped += await trim_former(self.pool, self.installation.generation, older_than_us=older_than_us)
        if dropped:
            log.info("log_trimmed", records=dropped)

    async def keep_ids(self) -> None:
        """Pack the ids of hours that are written no more, close the hours whose ids may go."""
        async with self.pool.acquire() as connection:
            await ids.compact(connection, self.installation.generation)
            closed = await ids.close_hours(
                connection,
                self.installation.generation,
                reached_us=await progress.watermark_us(connection, self.installation.generation),
                max_lateness_us=self.installation.max_lateness_s * SECOND,
            )
        if closed:
            log.info("hours_closed", hours=closed)
