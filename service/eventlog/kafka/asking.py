"""Asking the leaders of a topic's partitions for records, until each has answered."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from random import sample
from typing import Final

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from service.domain.ids import Offset, Partition
from service.errors import LogUnavailable
from service.eventlog.kafka.connection import KafkaConnection
from service.kafka.fetch import Answer, Bounds, fetch

ANSWER_BYTES: Final = 16 * 1024 * 1024
"""Of one broker's answer, but for a batch that is larger."""
PARTITION_BYTES: Final = 4 * 1024 * 1024
"""Of a partition in an answer, but for a batch that is larger: the bound of what is read ahead, beside what was asked for."""
WAIT_MS: Final = 200
"""How long a broker holds an answer without records."""
WAIT_OF_SEVERAL_MS: Final = 50
"""The same where there are several: one that has records is not kept waiting for longer by those that have none."""
RETRY_S: Final = 0.1


class Leaders:
    """A client of the brokers that lead a topic's partitions; all of it inside of `failures_named`."""

    def __init__(self, connection: KafkaConnection, topic: str) -> None:
        self._connection = connection
        self._topic = topic
        self._client: AIOKafkaClient | None = None

    async def answers(self, wanted: Mapping[Partition, Offset], *, wait_s: float) -> list[Answer]:
        """What follows in each of these partitions from an offset on, waiting for the first record at most `wait_s`.

        The answer for an offset that the log does not hold is OffsetOutOfRangeError. What a leader refuses otherwise is asked
        again, of whoever leads by then, for as long as a request may take. Raises KafkaError and LogUnavailable.
        """
        client, loop = await self._started(), asyncio.get_running_loop()
        deadline_s = loop.time() + self._connection.request_timeout_s
        found: list[Answer] = []
        left = {TopicPartition(self._topic, partition): int(offset) for partition, offset in wanted.items()}
        while True:
            answered, error = await self._asked(client, left, wait_s)
            found += answered
            for each in answered:
                del left[each.partition]
            if not left:
                return found
            if loop.time() >= deadline_s:
                raise error or LogUnavailable(
                    f"no broker answers for partitions {sorted(p.partition for p in left)} of {self._topic}"
                )
            client.force_metadata_update()
            await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def _asked(
        self, client: AIOKafkaClient, wanted: Mapping[TopicPartition, int], wait_s: float
    ) -> tuple[list[Answer], KafkaError | None]:
        """What can be told of these partitions, and what stood in the way of the others."""
        by_leader = defaultdict[int, dict[TopicPartition, int]](dict)
        # A broker gives a batch that is larger than asked for only to the first partition that has one: each has its turn.
        for partition, offset in sample(sorted(wanted.items()), len(wanted)):
            leader = client.cluster.leader_for_partition(partition)
            if leader is not None and leader >= 0:
                by_leader[leader][partition] = offset
        most_ms = WAIT_MS if len(by_leader) == 1 else WAIT_OF_SEVERAL_MS
        bounds = Bounds(min(most_ms, max(0, int(wait_s * 1_000))), ANSWER_BYTES, PARTITION_BYTES, committed=False)
        asking = [fetch(client, leader, partitions, bounds) for leader, partitions in by_leader.items()]
        told: list[Answer] = []
        error: KafkaError | None = None
        for outcome in await asyncio.gather(*asking, return_exceptions=True):
            if isinstance(outcome, KafkaError):
                error = outcome
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                for answer in outcome:
                    if answer.error is None or answer.error is OffsetOutOfRangeError:
                        told.append(answer)
                    else:
                        error = answer.error(f"partition {answer.partition.partition} of {self._topic}")
        return told, error

    async def _started(self) -> AIOKafkaClient:
        if self._client is None:
            client = AIOKafkaClient(**self._connection.options)
            try:
                await client.bootstrap()
                await client.set_topics([self._topic])
            except BaseException:
                await client.close()
                raise
            self._client = client
        return self._client
