"""Three brokers, three copies, two in sync: one may die while events arrive, and nothing that was acknowledged is lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sized
from uuid import uuid4

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from service.domain.ids import Offset, Partition
from service.errors import InvalidSettings, LogUnavailable
from service.eventlog.kafka import KafkaConnection, KafkaLog, TopicPlan
from service.eventlog.port import Draft
from service.settings import Settings
from service.store.installation import ensure_installation
from tests.eventlog.cluster import NODES, Cluster
from tests.eventlog.conftest import MovableClock

ALL = 64 * 1024 * 1024
PARTITIONS = 3


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.start(*NODES)
        yield made
    finally:
        made.stop()


@pytest.fixture
def settings(cluster: Cluster, request: pytest.FixtureRequest) -> Settings:
    """As an operator with several brokers has them: nothing but their addresses."""
    prefix = f"three-{abs(hash(request.node.name))}"
    return Settings(kafka_bootstrap=cluster.bootstrap, kafka_topic_prefix=prefix, partitions=PARTITIONS)


@pytest.fixture
async def log(settings: Settings, pool: asyncpg.Pool) -> AsyncIterator[KafkaLog]:
    async with pool.acquire() as connection:
        await ensure_installation(connection, settings, log_kind="kafka")
    opened = await opened_log(settings, pool)
    yield opened
    await opened.close()


async def opened_log(settings: Settings, pool: asyncpg.Pool) -> KafkaLog:
    """Opened as soon as three brokers have found each other."""
    async with asyncio.timeout(120):
        while True:
            try:
                return await KafkaLog.open(
                    KafkaConnection.of(settings),
                    TopicPlan.of(settings),
                    pool,
                    generation=1,
                    partitions=PARTITIONS,
                    clock=MovableClock(),
                )
            except (LogUnavailable, InvalidSettings) as error:
                if "cannot hold 3 copies" not in str(error) and isinstance(error, InvalidSettings):
                    raise
                await asyncio.sleep(0.5)


Acknowledged = dict[tuple[int, int], bytes]


async def test_one_broker_of_three_is_killed_while_a_client_sends_and_nothing_is_lost(cluster: Cluster, log: KafkaLog) -> None:
    async with sending(log) as acknowledged:
        for node in NODES:
            await grows(acknowledged, 60)
            cluster.kill(node)
            # With one dead the others go on taking events: nobody waits for it to come back.
            await grows(acknowledged, 60)
            await cluster.restart(node)
        await grows(acknowledged, 60)
    assert acknowledged.items() <= (await kept(log)).items()


async def test_with_two_brokers_of_three_dead_nothing_is_acknowledged_and_nothing_is_lost(
    cluster: Cluster, log: KafkaLog
) -> None:
    async with sending(log) as acknowledged:
        await grows(acknowledged, 60)
        for node in NODES[:2]:
            cluster.kill(node)
    before = len(acknowledged)
    with pytest.raises(LogUnavailable):
        await log.append([Draft(Partition(p), 1, b"never acknowledged") for p in range(PARTITIONS)])
    await cluster.restart(*NODES[:2])
    async with sending(log, acknowledged):
        await grows(acknowledged, 60)
    assert len(acknowledged) >= before + 60
    assert acknowledged.items() <= (await kept(log)).items()


@contextlib.asynccontextmanager
async def sending(log: KafkaLog, acknowledged: Acknowledged | None = None) -> AsyncIterator[Acknowledged]:
    """Two that send all the time, and again what failed; gives what was acknowledged: payloads by partition and offset."""
    found: Acknowledged = {} if acknowledged is None else acknowledged
    ended = asyncio.Event()

    async def send() -> None:
        while not ended.is_set():
            drafts = [Draft(Partition(p), 1, uuid4().bytes) for p in range(PARTITIONS)]
            try:
                for one, offset in zip(drafts, await log.append(drafts), strict=True):
                    found[one.partition, offset] = one.payload
            except LogUnavailable:
                await asyncio.sleep(0.05)

    tasks = [asyncio.create_task(send()) for _ in range(2)]
    try:
        yield found
    finally:
        ended.set()
        await asyncio.gather(*tasks)


async def kept(log: KafkaLog) -> Acknowledged:
    """All that the log holds."""
    found: Acknowledged = {}
    ends = {partition: each.end for partition, each in (await log.extents()).items()}
    at = {Partition(partition): Offset(0) for partition in range(PARTITIONS)}
    while left := {partition: offset for partition, offset in at.items() if offset < ends[partition]}:
        for record in await log.read(left, max_bytes=ALL, wait_s=5):
            found[record.partition, record.offset] = record.payload
            at[record.partition] = Offset(record.offset + 1)
    return found


async def grows(found: Sized, by: int) -> None:
    enough = len(found) + by
    async with asyncio.timeout(120):
        while len(found) < enough:  # noqa: ASYNC110  # senders know of no event
            await asyncio.sleep(0.05)


async def test_a_topic_that_takes_records_on_one_broker_alone_is_refused_unless_that_is_allowed(
    cluster: Cluster, settings: Settings, pool: asyncpg.Pool
) -> None:
    async with pool.acquire() as connection:
        await ensure_installation(connection, settings, log_kind="kafka")
    plan = TopicPlan.of(settings)
    assert (plan.replication_factor, plan.min_insync_replicas) == (3, 2)
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()
    try:
        unsafe = plan.configs() | {"min.insync.replicas": "1"}
        async with asyncio.timeout(120):
            while True:
                answer = await admin.create_topics([NewTopic(plan.name(1), PARTITIONS, 3, topic_configs=unsafe)])
                if answer.topic_errors[0][1] in {0, 36}:  # made, or there already
                    break
                await asyncio.sleep(0.5)
    finally:
        await admin.close()
    with pytest.raises(InvalidSettings, match=r"min.insync.replicas of the topic .* is 1.*TIDEGAUGE_ALLOW_SINGLE_BROKER=true"):
        await opened_log(settings, pool)
    allowed = await opened_log(settings.model_copy(update={"allow_single_broker": True}), pool)
    await allowed.close()
