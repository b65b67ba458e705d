"""One consumer's life in the group: poll, decode, append, commit; and hand over cleanly when partitions move."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener

from service.errors import Overloaded
from service.eventlog.kafka.connection import FAILURES
from service.ingest.backlog import LogBacklog
from service.ingest.kafka.bindings import Bindings
from service.ingest.kafka.flight import Flight
from service.ingest.kafka.intake import Intake
from service.ingest.kafka.lag import LagWatch
from service.ingest.kafka.polling import Poller
from service.kafka.haul import Haul
from service.lifecycle import cancel
from service.store.sources import Binding
from service.telemetry import Telemetry

COMMIT_INTERVAL_S = 0.25
COMMIT_TIMEOUT_S = 5.0
SETTLE_S = 10.0
"""How long a hand-over waits for appends in flight: less than the group waits for its members."""
ROOM_PAUSE_S = 0.5
CLOSE_TIMEOUT_S = 5.0

log = structlog.get_logger(__name__)


class Session(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Reads topics with one consumer until it is told to end, or something fails."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        *,
        topics: AbstractSet[str],
        bindings: Bindings,
        intake: Intake,
        flight: Flight,
        backlog: LogBacklog,
        telemetry: Telemetry,
    ) -> None:
        self._consumer = consumer
        self._topics = topics
        self._bindings = bindings
        self._intake = intake
        self._flight = flight
        self._backlog = backlog
        self._telemetry = telemetry
        self._poller = Poller(consumer, telemetry)
        self._lag = LagWatch(consumer, topics, flight.arrived, telemetry)
        self._committed: dict[TopicPartition, int] = {}
        self._commits = asyncio.Lock()
        self.has_joined = False
        """Whether the group has said which partitions are ours."""
        self._waits = False

    @property
    def trouble(self) -> str:
        """Why it does not read all that it should; empty: it does."""
        if self._waits:
            return "waits for room in the log"
        return self._lag.trouble

    async def run(self, ended: asyncio.Task[None]) -> None:
        """Read until `ended` is done; raises what Kafka's client raises, and what no append can succeed for.

        Whatever way it ends, what was read is appended first, if the log takes it in time, and committed.
        """
        working = asyncio.create_task(self._work(), name="source-work")
        try:
            await asyncio.wait([working, ended], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            await cancel([working])
            await self._close()

    async def on_partitions_revoked(self, revoked: AbstractSet[TopicPartition]) -> None:
        """Others may get these: append what was read of them, commit, and forget what could not be appended in time."""
        if not revoked:
            return
        # Before anything is awaited: what is left of a poll must not be sent any more.
        self._poller.revoked()
        if not await self._flight.settle(SETTLE_S):
            log.warning("source.hands_over_unfinished", waited_s=SETTLE_S)
        await self._commit()
        await self._flight.forget()
        self._committed.clear()
        self._lag.forget()
        self._telemetry.source_partitions.set(0)

    async def on_partitions_assigned(self, assigned: AbstractSet[TopicPartition]) -> None:
        """From here on they are ours."""
        self.has_joined = True
        self._poller.places.assigned()
        self._telemetry.source_partitions.set(len(assigned))
        held: dict[str, list[int]] = {}
        for partition in sorted(assigned):
            held.setdefault(partition.topic, []).append(partition.partition)
        log.info("source.assigned", partitions=held)

    async def _work(self) -> None:
        await self._consumer.start()
        self._consumer.subscribe(list(self._topics), listener=self)
        parts = [self._poller.fetch(), self._read(), self._keep_committing(), self._lag.keep()]
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            await cancel(tasks)

    async def _read(self) -> None:
        """Keep parcels on their way; ends when a record's topic is bound no more."""
        while True:
            await self._room()
            hauls = await self._poller.poll()
            bindings = self._bindings.by_topic
            if not all(haul.partition.topic in bindings for haul in hauls):
                return
            await self._send(hauls, bindings)

    async def _send(self, hauls: Sequence[Haul], bindings: Mapping[str, Binding]) -> None:
        """Send what was polled, parcel by parcel; what is left when partitions move will be read again, here or elsewhere."""
        # Nothing may be awaited between the poll and here: a hand-over has to find all that was read.
        revocations = self._poller.places.revocations
        for parcel in self._intake.parcels(hauls, bindings):
            self._flight.send(parcel)
            await asyncio.sleep(0)
            await self._flight.room()
            if self._poller.places.revocations != revocations:
                return

    async def _room(self) -> None:
        """Wait until the log takes more; meanwhile records wait in their topic."""
        await self._flight.room()
        while not self._has_room():  # noqa: ASYNC110  # the log sets no event of ours
            await asyncio.sleep(ROOM_PAUSE_S)

    def _has_room(self) -> bool:
        try:
            self._backlog.check()
        except Overloaded as error:
            if not self._waits:
                log.warning("source.waits", why=str(error))
            self._waits = True
        else:
            self._waits = False
        self._telemetry.source_waits.set(self._waits)
        return not self._waits

    async def _keep_committing(self) -> None:
        while True:
            await self._commit()
            await asyncio.sleep(COMMIT_INTERVAL_S)

    async def _commit(self) -> None:
        """Commit how far everything is in the log; where that fails, the next time does it."""
        async with self._commits:
            arrived, ours = self._flight.arrived(), self._consumer.assignment()
            fresh = {each: arrived[each] for each in arrived.keys() & ours if self._committed.get(each) != arrived[each]}
            if not fresh:
                return
            try:
                async with asyncio.timeout(COMMIT_TIMEOUT_S):
                    await self._consumer.commit(fresh)
            except FAILURES as error:
                self._telemetry.source_failures.labels("commit").inc()
                log.warning("source.not_committed", error=str(error) or type(error).__name__, partitions=len(fresh))
            else:
                self._committed |= fresh

    async def _close(self) -> None:
        try:
            await self._flight.settle(SETTLE_S)
            await self._commit()
        finally:
            await self._flight.forget()
            self._lag.forget()
            self._telemetry.source_partitions.set(0)
            with contextlib.suppress(*FAILURES):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await self._consumer.stop()
