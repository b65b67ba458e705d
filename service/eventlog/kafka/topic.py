"""The topic of a generation: made as the settings say, and refused when it is not such that nothing gets lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidReplicationFactorError, NoError, TopicAlreadyExistsError, for_code

from service.errors import InvalidSettings, LogMismatch, LogUnavailable
from service.eventlog.kafka.connection import KafkaConnection, failures_named
from service.eventlog.kafka.record import OVERHEAD_BYTES
from service.eventlog.port import MAX_RECORD_BYTES
from service.eventlog.refusals import check_count
from service.settings import Settings

APPEAR_POLLS = 150
APPEAR_POLL_S = 0.1
MAX_BATCH_BYTES = 2 * (MAX_RECORD_BYTES + OVERHEAD_BYTES)
"""Most that the broker takes in one batch: a record, or several smaller ones."""
SEALED_BATCH_BYTES = 128
"""What a sealed topic takes at the most: the marks of its end, and no record that holds an event."""
_SAFE_REPLICAS = 2
_FOR_EVER = str(2**63 - 1)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """What a topic is made with."""

    prefix: str
    replication_factor: int
    min_insync_replicas: int
    single_broker: bool
    """Fewer than two replicas in sync are taken for durable."""

    @classmethod
    def of(cls, settings: Settings) -> "TopicPlan":
        """What the settings say."""
        single = settings.allow_single_broker
        return cls(
            settings.kafka_topic_prefix,
            settings.kafka_replication_factor or (1 if single else 3),
            settings.kafka_min_insync_replicas or (1 if single else 2),
            single,
        )

    def name(self, generation: int) -> str:
        """The topic of a generation."""
        return f"{self.prefix}-{generation}"

    def check(self) -> None:
        """Raise InvalidSettings for a topic that would lose acknowledged events with one broker, unless that is allowed."""
        if self.min_insync_replicas < _SAFE_REPLICAS and not self.single_broker:
            raise InvalidSettings(_too_few("TIDEGAUGE_KAFKA_MIN_INSYNC_REPLICAS", self.min_insync_replicas))

    def configs(self) -> dict[str, str]:
        """Durable in several places, and dropped by nobody but us (docs/adr/0008): timestamps are the appenders' own."""
        return {
            "min.insync.replicas": str(self.min_insync_replicas),
            "unclean.leader.election.enable": "false",
            "cleanup.policy": "delete",
            "retention.ms": "-1",
            "retention.bytes": "-1",
            "max.message.bytes": str(MAX_BATCH_BYTES),
            "message.timestamp.type": "CreateTime",
            "message.timestamp.before.max.ms": _FOR_EVER,
            "message.timestamp.after.max.ms": _FOR_EVER,
        }


async def ensure_topic(connection: KafkaConnection, plan: TopicPlan, *, generation: int, partitions: int) -> str:
    """Make the topic of a generation where it is missing, and check it; returns its name.

    Raises LogMismatch where it has another number of partitions or would lose records, InvalidSettings for
    replicas that the brokers cannot give or that are too few, LogUnavailable.
    """
    plan.check()
    name = plan.name(generation)
    async with administering(connection) as admin:
        with failures_named(connection):
            found = await partition_count(admin, name)
            if found is None:
                await _create(admin, plan, name, partitions)
                found = await _appeared(admin, name)
        check_count(found, found - 1, generation=generation, partitions=partitions)
        with failures_named(connection):
            configs = await _configs(admin, name)
    _check(name, configs, plan)
    return name


async def check_before_making(connection: KafkaConnection, plan: TopicPlan, *, generation: int, partitions: int) -> None:
    """Raise what `ensure_topic` would, as far as it can be known without making anything."""
    plan.check()
    name = plan.name(generation)
    async with administering(connection) as admin:
        with failures_named(connection):
            found = await partition_count(admin, name)
    if found not in {None, partitions}:
        raise LogMismatch(
            f"there is a topic {name} already, of {found} partitions, not {partitions}: installations that share brokers "
            f"need a TIDEGAUGE_KAFKA_TOPIC_PREFIX each; one that an abandoned repartition has left is yours to delete"
        )


@asynccontextmanager
async def administering(connection: KafkaConnection) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client for the brokers' administration; raises LogUnavailable."""
    admin = AIOKafkaAdminClient(**connection.options)
    try:
        with failures_named(connection):
            await admin.start()
        yield admin
    finally:
        await admin.close()


async def partition_count(admin: AIOKafkaAdminClient, name: str) -> int | None:
    """How many there are; asks for all topics, for asking for one may make it."""
    for topic in await admin.describe_topics():
        if topic["topic"] == name and for_code(topic["error_code"]) is NoError:
            return len(topic["partitions"])
    return None


async def _create(admin: AIOKafkaAdminClient, plan: TopicPlan, name: str, partitions: int) -> None:
    topic = NewTopic(name, partitions, plan.replication_factor, topic_configs=plan.configs())
    answer = await admin.create_topics([topic])
    for _, code, *rest in answer.topic_errors:
        error = for_code(code)
        if error is InvalidReplicationFactorError:
            raise InvalidSettings(
                f"the brokers cannot hold {plan.replication_factor} copies of {name} ({rest[0] if rest else ''}): add brokers, "
                f"set TIDEGAUGE_KAFKA_REPLICATION_FACTOR, or TIDEGAUGE_ALLOW_SINGLE_BROKER=true where a loss may be"
            )
        if error is not NoError and error is not TopicAlreadyExistsError:
            raise error(*rest)
    log.info("topic.made", topic=name, partitions=partitions, replicas=plan.replication_factor)


async def _appeared(admin: AIOKafkaAdminClient, name: str) -> int:
    """Wait until the brokers show a topic that was just made."""
    for _ in range(APPEAR_POLLS):
        found = await partition_count(admin, name)
        if found:
            return found
        await asyncio.sleep(APPEAR_POLL_S)
    raise LogUnavailable(f"the topic {name} was made and does not appear: look at the brokers' controller")


async def _configs(admin: AIOKafkaAdminClient, name: str) -> dict[str, str]:
    [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    found: dict[str, str] = {}
    for code, message, _, _, entries in answer.resources:
        if for_code(code) is not NoError:
            raise for_code(code)(message)
        found |= {entry[0]: entry[1] for entry in entries}
    return found


def _check(name: str, configs: dict[str, Any], plan: TopicPlan) -> None:
    replicas = int(configs["min.insync.replicas"])
    if replicas < _SAFE_REPLICAS and not plan.single_broker:
        raise InvalidSettings(_too_few(f"min.insync.replicas of the topic {name}", replicas))
    wanted = {key: plan.configs()[key] for key in ("cleanup.policy", "retention.ms", "retention.bytes")}
    if wrong := {key: configs[key] for key, value in wanted.items() if configs[key] != value}:
        said = ", ".join(f"{key}={value}" for key, value in wrong.items())
        right = ",".join(f"{key}={wanted[key]}" for key in wrong)
        raise LogMismatch(
            f"the topic {name} has {said} and could drop what nobody has read: alter it with kafka-configs to {right}; "
            f"what was read is dropped after TIDEGAUGE_LOG_RETENTION_H"
        )
    most = int(configs["max.message.bytes"])
    if most < MAX_BATCH_BYTES and most != SEALED_BATCH_BYTES:
        raise LogMismatch(f"the topic {name} takes no records of {MAX_BATCH_BYTES} bytes: raise its max.message.bytes to that")


def _too_few(what: str, replicas: int) -> str:
    return (
        f"{what} is {replicas}: an acknowledged event could be lost with one broker; set it to 2 or more with as many replicas, "
        f"or TIDEGAUGE_ALLOW_SINGLE_BROKER=true where that may be"
    )
