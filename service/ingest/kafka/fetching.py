"""Fetching records ahead of who reads them, as bytes: what a broker answers for a partition waits until it is taken.

Group, offsets, leaders and connections are the client's; its own fetching, which makes an object of every record, is paused.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from random import sample
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    KafkaError,
    NotLeaderForPartitionError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from service.kafka.fetch import Bounds, fetch
from service.kafka.haul import Haul
from service.lifecycle import cancel

ANSWER_BYTES: Final = 16 * 1024 * 1024
"""Of one answer, but for a record that is larger."""
PARTITION_BYTES: Final = 1024 * 1024
"""Of a partition in an answer, but for a record that is larger."""
_WAIT_MS: Final = 500
"""How long a broker waits for the first record."""
_LOOK_S: Final = 0.1
"""How soon partitions are seen that came to us, or whose place became known."""
_PAUSE_S: Final = 0.1
_BOUNDS: Final = Bounds(_WAIT_MS, ANSWER_BYTES, PARTITION_BYTES, committed=True)

log = structlog.get_logger(__name__)


class Fetching:
    """Keeps one answer ready for each partition that is ours."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        place_of: Callable[[TopicPartition], Awaitable[int | None]],
        met: Callable[[Exception], None],
    ) -> None:
        self._consumer = consumer
        self._place_of = place_of
        self._met = met
        self._ready: dict[TopicPartition, Haul] = {}
        self._troubled: set[TopicPartition] = set()
        """Those that are not asked for before what they met is got over."""
        self._under_way: dict[int, asyncio.Task[None]] = {}
        """By broker."""
        self._moves = 0
        """How often partitions have moved: places that were known before are those of others now."""
        self._taken = asyncio.Event()
        self._came = asyncio.Event()

    async def keep(self) -> None:
        """Fetch for ever; raises what the client raises for what it cannot get over."""
        try:
            while True:
                self._taken.clear()
                moves = self._moves
                for broker, wanted in (await self._wanted()).items():
                    self._under_way[broker] = asyncio.create_task(self._fetch(broker, wanted, moves), name="source-fetch")
                ending = [asyncio.create_task(self._taken.wait()), *self._under_way.values()]
                try:
                    await asyncio.wait(ending, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    ending[0].cancel()
                for broker in [broker for broker, task in self._under_way.items() if task.done()]:
                    done = self._under_way.pop(broker)
                    if not done.cancelled():
                        done.result()
        finally:
            await cancel(list(self._under_way.values()))

    async def come(self, timeout_s: float) -> None:
        """Wait until something is ready, but not longer than that."""
        if self._ready:
            return
        self._came.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._came.wait()
        except TimeoutError:
            return

    def take(self) -> list[Haul]:
        """Everything that is ready, and still wanted; from here on what follows is fetched."""
        taken, ours = [], self._consumer.assignment()
        for partition, haul in self._ready.items():
            if partition in ours:
                self._consumer.seek(partition, haul.following)
                taken.append(haul)
        self._ready.clear()
        self._taken.set()
        return taken

    def forget(self) -> None:
        """Nothing of what is ready, or comes yet, is ours any more."""
        self._moves += 1
        self._ready.clear()
        self._troubled.clear()
        for task in self._under_way.values():
            task.cancel()

    def resume(self) -> None:
        """What partitions had met is got over."""
        if self._troubled:
            self._troubled.clear()
            self._taken.set()

    async def _wanted(self) -> dict[int, dict[TopicPartition, int]]:
        """By broker, the partitions of which nothing is ready, and the offsets that come next."""
        client, found = self._consumer._client, defaultdict[int, dict[TopicPartition, int]](dict)  # noqa: SLF001  # no other way
        # A broker answers one request at a time, and waits where it has nothing: what is ready would wait for that, too.
        busy = self._under_way.keys() | {client.cluster.leader_for_partition(partition) for partition in self._ready}
        for partition in self._consumer.assignment() - self._ready.keys() - self._troubled:
            broker = client.cluster.leader_for_partition(partition)
            if broker is None or broker < 0:
                client.force_metadata_update()
            elif broker not in busy and (place := await self._place_of(partition)) is not None:
                found[broker][partition] = place
        return found

    async def _fetch(self, broker: int, wanted: dict[TopicPartition, int], moves: int) -> None:
        client = self._consumer._client  # noqa: SLF001  # no other way
        # A broker gives a batch that is larger than asked for only to the first partition that has one: each has its turn.
        turns = dict(sample(sorted(wanted.items()), len(wanted)))
        try:
            answers = await fetch(client, broker, turns, _BOUNDS)
        except KafkaError as error:
            log.warning("source.fetch_failed", broker=broker, error=str(error) or type(error).__name__)
            client.force_metadata_update()
            await asyncio.sleep(_PAUSE_S)
            return
        failed = False
        for answer in answers if moves == self._moves else ():
            if answer.error is not None:
                failed = True
                self._refused(answer.partition, answer.offset, answer.error)
            elif answer.data:
                self._ready[answer.partition] = Haul(answer.partition, answer.offset, answer.data, answer.end, answer.aborted)
        if self._ready or self._troubled:
            self._came.set()
        if failed:
            await asyncio.sleep(_PAUSE_S)

    def _refused(self, partition: TopicPartition, place: int, error: type[KafkaError]) -> None:
        if error is OffsetOutOfRangeError:
            self._troubled.add(partition)
            self._met(OffsetOutOfRangeError({partition: place}))
        elif error is TopicAuthorizationFailedError:
            self._troubled.add(partition)
            self._met(TopicAuthorizationFailedError(partition.topic))
        else:
            if error in {NotLeaderForPartitionError, UnknownTopicOrPartitionError}:
                self._consumer._client.force_metadata_update()  # noqa: SLF001  # no other way
            log.warning("source.fetch_failed", topic=partition.topic, partition=partition.partition, error=error.__name__)
