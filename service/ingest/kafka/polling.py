"""Polling a consumer: records by partition, bounded, and never held back while something is awaited."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from service.ingest.kafka.intake import Polled
from service.ingest.kafka.places import Places
from service.ingest.kafka.trouble import NOTHING_TO_READ, UNPACKING, Troubles
from service.telemetry import Telemetry

POLL_S = 0.2
MAX_RECORDS = 5_000
"""Records of one poll."""
MAX_BYTES = 8_000_000
"""What the records of one poll may weigh together; its last step may go beyond it."""
STEP_RECORDS = 100
"""Records that the client is asked for at once: more of them may be larger together than is good."""
CAREFUL_RECORDS = 500
"""Records of a partition that are taken one by one before the next one's turn."""
CAREFUL_PAUSE_S = 0.05


class Unpackable(Exception):
    """Some partition's next record cannot be unpacked; which one, only careful polling tells."""


@dataclass(slots=True)
class _Gathered:
    """What one poll has drained so far."""

    polled: dict[TopicPartition, list[ConsumerRecord]] = field(default_factory=dict)
    records: int = 0
    size: int = 0

    @property
    def is_full(self) -> bool:
        return self.records >= MAX_RECORDS or self.size >= MAX_BYTES

    def add(self, drained: Polled) -> None:
        for partition, records in drained.items():
            self.polled.setdefault(partition, []).extend(records)
            self.records += len(records)
            self.size += sum([record.serialized_value_size for record in records])


class Poller:
    """Polls one consumer: all partitions at once, or (`careful`) each alone and record by record.

    The client loses its place when it cannot unpack a record: what it had unpacked before of that poll is gone. So the
    first such failure ends the consumer, the next one begins again behind what was committed, carefully, and parks the
    partition in front of that very record; the others go on.

    What a poll has drained it returns before it awaits anything more: whenever something is awaited partitions may move,
    and what others read by now would be taken for ours. What has to be asked of the brokers waits for the next poll.
    (The client's `getmany` awaits nothing once there is something to drain, nor with a `timeout_ms` of 0.)
    """

    def __init__(self, consumer: AIOKafkaConsumer, telemetry: Telemetry, *, careful: bool) -> None:
        self._consumer = consumer
        self._careful = careful
        self._last_turn: TopicPartition | None = None
        self.places = Places(consumer)
        self._troubles = Troubles(consumer, self.places, telemetry)

    @property
    def parked(self) -> Collection[TopicPartition]:
        """Partitions that hold a record that cannot be unpacked."""
        return self._troubles.parked

    def revoked(self) -> None:
        """Partitions begin to move: what is left of the last poll is not ours any more."""
        self.places.revoked()
        self._troubles.forget()

    async def poll(self) -> Polled:
        """Records of the partitions that are ours, as soon as there are some, but within POLL_S; raises Unpackable."""
        await self._troubles.get_over()
        gathered = await (self._drain_each() if self._careful else self._drain())
        if self._careful and not gathered.polled and not self._troubles:
            await asyncio.sleep(CAREFUL_PAUSE_S)
        return gathered.polled

    async def _drain(self) -> _Gathered:
        gathered, wait_ms = _Gathered(), int(POLL_S * 1_000)
        try:
            while not gathered.is_full:
                drained = await self._consumer.getmany(timeout_ms=wait_ms, max_records=STEP_RECORDS)
                if not drained:
                    break
                gathered.add(drained)
                wait_ms = 0
        except NOTHING_TO_READ as error:
            self._troubles.met(error)
        except UNPACKING as error:
            raise Unpackable(str(error) or type(error).__name__) from error
        return gathered

    async def _drain_each(self) -> _Gathered:
        gathered = _Gathered()
        for partition in self._in_turn():
            try:
                for _ in range(CAREFUL_RECORDS):
                    one = await self._consumer.getmany(partition, timeout_ms=0, max_records=1)
                    if not one:
                        break
                    gathered.add(one)
            except (*NOTHING_TO_READ, *UNPACKING) as error:
                self._troubles.met(error, partition)
            if gathered.is_full:
                self._last_turn = partition
                break
        return gathered

    def _in_turn(self) -> list[TopicPartition]:
        """The partitions that are not parked; those come first whose turn the last full poll did not reach."""
        last, ours = self._last_turn, self._consumer.assignment() - self.parked
        return sorted(ours, key=lambda each: (last is not None and each <= last, each))
