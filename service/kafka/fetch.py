"""Asking a broker for what follows in partitions: one request, and its answer as bytes.

Kafka protocol, Fetch API (kafka.apache.org/protocol). Connections and leaders are the client's.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.fetch import FetchRequest

_NAMES_ABORTED: Final = 4
_SAYS_OF_ALL: Final = 7
_NAMES_REPLICA: Final = 11
"""Versions of answers since which they name aborted transactions, say what is wrong with all of the request, and name a replica
to read from, which stands behind the transactions."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one answer may be."""

    wait_ms: int
    """How long a broker waits for the first record."""
    answer_bytes: int
    """Of all partitions, but for a batch that is larger."""
    partition_bytes: int
    """Of each partition, but for a batch that is larger."""
    committed: bool
    """Nothing behind a transaction that is still open (`read_committed`)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a broker says of one partition."""

    partition: TopicPartition
    offset: int
    """What was asked for."""
    error: type[KafkaError] | None
    end: int
    """The offset that the partition's next record gets, as all replicas in sync have it."""
    data: bytes
    aborted: Sequence[tuple[int, int]]
    """Transactions by producer and first offset."""


async def fetch(client: AIOKafkaClient, broker: int, wanted: Mapping[TopicPartition, int], bounds: Bounds) -> list[Answer]:
    """Ask a broker for partitions from these offsets on. Raises KafkaError where it does not answer, or refuses.

    A batch that is larger than the bounds comes only of the first partition that has one: each should have its turn.
    """
    topics = defaultdict[str, list[tuple[int, int, int]]](list)
    for partition, offset in wanted.items():
        topics[partition.topic].append((partition.partition, offset, bounds.partition_bytes))
    request = FetchRequest(bounds.wait_ms, 1, bounds.answer_bytes, int(bounds.committed), list(topics.items()))
    answer = await client.send(broker, request)
    if answer.API_VERSION >= _SAYS_OF_ALL and answer.error_code:
        raise for_code(answer.error_code)(f"broker {broker} refuses to be asked for records")
    found = []
    for topic, partitions in answer.topics:
        for number, code, end, *rest in partitions:
            partition = TopicPartition(topic, number)
            error = for_code(code) if code else None
            aborted = _aborted_in(rest, answer.API_VERSION)
            found.append(Answer(partition, wanted[partition], error, end, rest[-1] or b"", aborted))
    return found


def _aborted_in(rest: Sequence[Any], version: int) -> Sequence[tuple[int, int]]:
    """The aborted transactions, of what an answer says of a partition behind its highest offset."""
    if version < _NAMES_ABORTED:
        return ()
    return (rest[2] if version >= _NAMES_REPLICA else rest[-2]) or ()
