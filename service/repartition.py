"""Opening the next generation of the log: ids copied, the former one sealed and drained, then the switch (docs/adr/0010).

Every step may be done again, so whoever is killed is followed by the same command.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from enum import StrEnum

import asyncpg

from service.clock import Clock
from service.domain.ids import Partition
from service.errors import LogMismatch, StoreUnavailable
from service.eventlog.kafka import KafkaConnection, TopicPlan
from service.eventlog.kafka.sealing import retire_topic, seal_topic
from service.eventlog.kafka.topic import check_before_making
from service.eventlog.opening import POSTGRES, open_log
from service.eventlog.port import EventLog, Extent
from service.settings import Settings
from service.store import moving_ids, repartition, status
from service.store.engine import FAILURES
from service.store.installation import Installation
from service.store.repartition import Phase, Repartition, unanswered

LOOK_INTERVAL_S = 0.2
AGGREGATE = "aggregate"


class Step(StrEnum):
    """What a repartition is at, in this order; from sealing on until the switch no events are taken."""

    COPY = "copy"
    SEAL = "seal"
    DRAIN = "drain"
    COPY_REST = "copy rest"
    SWITCH = "switch"
    CLEAN = "clean"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one step is."""

    step: Step
    left: int = 0
    """Ids that are to be copied, or events that are to be consumed; counts down, but for what comes meanwhile."""
    waits: bool = False
    """Nobody consumes: no aggregator runs."""


async def check_target(settings: Settings, *, log_kind: str, generation: int, partitions: int) -> None:
    """Raise InvalidSettings, LogMismatch or LogUnavailable where the next log could not be made, before anything is noted."""
    if log_kind != POSTGRES:
        connection, plan = KafkaConnection.of(settings), TopicPlan.of(settings)
        await check_before_making(connection, plan, generation=generation, partitions=partitions)


@dataclass(slots=True)
class Repartitioning:
    """One repartition on its way; the caller holds the lock of `be_the_only_one`."""

    settings: Settings
    pool: asyncpg.Pool
    clock: Clock
    installation: Installation
    """As it was when this was begun: the former generation, until it has switched."""
    under_way: Repartition
    _logs: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def run(self) -> AsyncGenerator[Progress, None]:
        """Go on from where it stands to the end, telling each step and how far it is.

        Raises LogUnavailable, StoreUnavailable, LogMismatch and InvalidSettings; the same again goes on from there.
        """
        try:
            async with self._logs:
                if self.under_way.phase is not Phase.CLEANING:
                    async for progress in self._until_switched():
                        yield progress
                yield Progress(Step.CLEAN)
                await self._clean()
        except FAILURES as error:
            raise unanswered(error) from error

    async def _until_switched(self) -> AsyncIterator[Progress]:
        former, following = await self._opened()
        await self._check_empty(following)
        async for progress in self._copy(Step.COPY):
            yield progress
        switched = False
        while not switched:
            yield Progress(Step.SEAL)
            await self._seal()
            async for progress in self._drain(former):
                yield progress
            async for progress in self._copy(Step.COPY_REST):
                yield progress
            yield Progress(Step.SWITCH)
            switched = await self._switched(former)

    async def _opened(self) -> tuple[EventLog, EventLog]:
        """Both generations; the topic of the next one is made."""
        before, after = self.installation, self.under_way
        wanted = (
            (before.log_kind, before.generation, before.partitions),
            (after.log_kind, after.generation, after.partitions),
        )
        logs: list[EventLog] = []
        for kind, generation, partitions in wanted:
            log = await open_log(
                self.settings, self.pool, generation=generation, partitions=partitions, clock=self.clock, kind=kind
            )
            self._logs.push_async_callback(log.close)
            logs.append(log)
        return logs[0], logs[1]

    async def _check_empty(self, following: EventLog) -> None:
        """What lies in the next generation before it is opened is somebody else's."""
        if held := _held(await following.extents()):
            raise LogMismatch(
                f"generation {following.generation} of the log holds records already, in the partitions {held}, and this "
                f"installation has written none: take this back with `tidegauge repartition --abandon`, and find out who uses "
                f"{self._topic(following.generation)}; installations that share brokers need a TIDEGAUGE_KAFKA_TOPIC_PREFIX each"
            )

    async def _copy(self, step: Step) -> AsyncIterator[Progress]:
        """Copy ids until none is left; while the former generation is in use, more may come at once."""
        generation = self.installation.generation
        async with self.pool.acquire() as connection:
            left = await moving_ids.uncopied(connection, generation)
            yield Progress(step, left.ids)
            while left.rows:
                await moving_ids.copy_some(connection, generation, partitions=self.under_way.partitions)
                if step is Step.COPY and left.rows <= moving_ids.LISTED_ROWS:
                    return  # what flushes have added meanwhile follows once nothing is appended
                left = await moving_ids.uncopied(connection, generation)
                yield Progress(step, left.ids)

    async def _seal(self) -> None:
        """Have the former generation take no events any more, and note where it ends.

        Brokers are fenced again even where that was noted before: nobody else says what they take now.
        """
        former, in_postgres = self.installation, self.installation.log_kind == POSTGRES
        async with self.pool.acquire() as connection:
            await repartition.begin_draining(connection, self.under_way, seal=in_postgres)
        if in_postgres:
            return
        partitions = [Partition(number) for number in range(former.partitions)]
        connection_to_brokers = KafkaConnection.of(self.settings)
        ends = await seal_topic(connection_to_brokers, self._topic(former.generation), partitions, self.clock)
        async with self.pool.acquire() as connection:
            await repartition.note_sealed(connection, former.generation, ends)

    async def _drain(self, former: EventLog) -> AsyncIterator[Progress]:
        """Wait until aggregators have consumed all; ends early where something was appended behind the seal."""
        while True:
            await former.extents()  # counts on what lies in Kafka
            async with self.pool.acquire() as connection:
                parts = await repartition.draining(connection, former.generation)
                running = any(worker.role == AGGREGATE for worker in await status.workers(connection))
            left = sum(part.events - part.consumed for part in parts)
            yield Progress(Step.DRAIN, left, waits=not running)
            if all(part.done for part in parts) or any(part.beyond_seal for part in parts):
                return
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def _switched(self, former: EventLog) -> bool:
        """Switch, unless something was appended after all: then it has to be sealed and drained again."""
        await former.extents()
        async with self.pool.acquire() as connection:
            try:
                await repartition.switch(connection, self.under_way)
            except StoreUnavailable:
                return False
        return True

    async def _clean(self) -> None:
        """Let go of what nobody reads any more, some at a time; records stay as long as consumed ones do."""
        former = self.under_way.generation - 1
        async with self.pool.acquire() as connection:
            while await repartition.forget_some(connection, self.under_way):
                pass
        if self.under_way.former_kind != POSTGRES:
            await retire_topic(KafkaConnection.of(self.settings), self._topic(former), kept_h=self.settings.log_retention_h)
        async with self.pool.acquire() as connection:
            await repartition.finish(connection, self.under_way)

    def _topic(self, generation: int) -> str:
        return TopicPlan.of(self.settings).name(generation)


def _held(extents: Mapping[Partition, Extent]) -> list[Partition]:
    """Partitions that anything was ever appended to."""
    return [partition for partition, extent in extents.items() if extent.end]
