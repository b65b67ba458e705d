"""Sealing a topic: its brokers refuse all further events, whoever sends them, and marks show where it ends.

The fence is `max.message.bytes`: a leader checks each batch against it as it appends, so that even a process that was
stopped for an hour and knows of nothing appends no more. A mark is a record without events, small enough to pass. It is
acknowledged by all replicas in sync, and with it everything before it: what was appended before the fence and was still on
its way to the replicas is not missed.
"""

import asyncio
import secrets
from collections.abc import Collection, Mapping

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import MessageSizeTooLargeError, NoError, UnknownTopicOrPartitionError, for_code

from service.clock import Clock
from service.domain.ids import Offset, Partition
from service.errors import LogUnavailable
from service.eventlog.codec import mark
from service.eventlog.kafka.connection import KafkaConnection, failures_named
from service.eventlog.kafka.offsets import KafkaOffsets
from service.eventlog.kafka.record import headers, timestamp_ms
from service.eventlog.kafka.topic import MAX_BATCH_BYTES, SEALED_BATCH_BYTES, administering, partition_count
from service.eventlog.kafka.writer import KafkaWriter
from service.eventlog.port import Draft

PROBES = 300
PROBE_INTERVAL_S = 0.1
SETTLE_S = 1.0
"""An append that a leader had already checked when the fence came up has gone through by then."""
_PROBE_PADDING = 2 * SEALED_BATCH_BYTES
_SET_ON_TOPIC = 1
"""Source of a value that is the topic's own (Kafka protocol, DescribeConfigs, `config_source`)."""

log = structlog.get_logger(__name__)


async def seal_topic(
    connection: KafkaConnection, topic: str, partitions: Collection[Partition], clock: Clock
) -> dict[Partition, Offset]:
    """Let a topic take no more events, and mark its ends; returns the offsets behind the marks.

    May be done again: then there are further marks. Raises LogUnavailable.
    """
    await _alter(connection, topic, {"max.message.bytes": str(SEALED_BATCH_BYTES)})
    await _until_fenced(connection, topic, partitions, clock)
    await asyncio.sleep(SETTLE_S)
    writer = KafkaWriter(connection, topic)
    try:
        marks = [Draft(partition, 0, mark(secrets.token_hex(8))) for partition in sorted(partitions)]
        offsets = await writer.append(marks, now_us=clock.now_us())
    finally:
        await writer.close()
    log.info("topic.sealed", topic=topic)
    return {each.partition: Offset(offset + 1) for each, offset in zip(marks, offsets, strict=True)}


async def unseal_topic(connection: KafkaConnection, topic: str) -> None:
    """Let a topic take events again. Raises LogUnavailable."""
    await _alter(connection, topic, {"max.message.bytes": str(MAX_BATCH_BYTES)})


async def retire_topic(connection: KafkaConnection, topic: str, *, kept_h: int) -> None:
    """Have the brokers drop a sealed topic's records, all of which were read, when they are so old. Raises LogUnavailable."""
    await _alter(connection, topic, {"retention.ms": str(kept_h * 3_600_000)})


async def delete_empty_topic(connection: KafkaConnection, topic: str) -> bool:
    """Delete a topic that nothing was ever appended to, if it is there; False: it holds records. Raises LogUnavailable."""
    async with administering(connection) as admin:
        with failures_named(connection):
            count = await partition_count(admin, topic)
        if count is None:
            return True
        offsets = KafkaOffsets(connection, topic)
        try:
            ends = await offsets.ends(Partition(number) for number in range(count))
        finally:
            await offsets.close()
        if any(ends.values()):
            return False
        with failures_named(connection):
            answer = await admin.delete_topics([topic])
            for _, code in answer.topic_error_codes:
                if (error := for_code(code)) not in {NoError, UnknownTopicOrPartitionError}:
                    raise error
    return True


async def _alter(connection: KafkaConnection, topic: str, changes: Mapping[str, str]) -> None:
    """Change some of what is set on a topic: the request replaces all of it, so the rest is said again."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    async with administering(connection) as admin:
        with failures_named(connection):
            configs = await _set_on(admin, resource)
            wanted = {**configs, **changes}
            if wanted == configs:
                return
            resource.configs = wanted
            for answer in await admin.alter_configs([resource]):
                for code, message, *_ in answer.resources:
                    if for_code(code) is not NoError:
                        raise for_code(code)(message)


async def _set_on(admin: AIOKafkaAdminClient, resource: ConfigResource) -> dict[str, str]:
    """What is set on the topic itself."""
    found: dict[str, str] = {}
    for answer in await admin.describe_configs([resource]):
        for code, message, _, _, entries in answer.resources:
            if for_code(code) is not NoError:
                raise for_code(code)(message)
            found |= {entry[0]: entry[1] for entry in entries if entry[3] == _SET_ON_TOPIC}
    return found


async def _until_fenced(connection: KafkaConnection, topic: str, partitions: Collection[Partition], clock: Clock) -> None:
    """Wait until every leader refuses what is larger than a mark; a probe that is taken all the same holds no events."""
    producer = AIOKafkaProducer(acks="all", **connection.options)
    try:
        with failures_named(connection):
            await producer.start()
            for _ in range(PROBES):
                if await _refused(producer, topic, partitions, clock):
                    return
                await asyncio.sleep(PROBE_INTERVAL_S)
    finally:
        await producer.stop()
    raise LogUnavailable(f"the brokers still append to {topic} although it is sealed: look at its max.message.bytes")


async def _refused(producer: AIOKafkaProducer, topic: str, partitions: Collection[Partition], clock: Clock) -> bool:
    now_us = clock.now_us()
    sent = []
    for partition in partitions:
        probe = Draft(partition, 0, mark(secrets.token_hex(8) + "-" * _PROBE_PADDING))
        words = headers(probe, appended_us=now_us)
        stamp_ms = timestamp_ms(now_us)
        sent.append(await producer.send(topic, probe.payload, partition=int(partition), timestamp_ms=stamp_ms, headers=words))
    outcomes = await asyncio.gather(*sent, return_exceptions=True)
    others = [each for each in outcomes if isinstance(each, BaseException) and not isinstance(each, MessageSizeTooLargeError)]
    if others:
        raise others[0]
    return all(isinstance(each, MessageSizeTooLargeError) for each in outcomes)
