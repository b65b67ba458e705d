"""Another generation of the log: nothing lost and nothing twice, wherever it is broken off; and nothing goes to the old one."""

import asyncio
import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.identity import HASH_BYTES, partition_of
from service.domain.ids import Offset, Partition
from service.errors import AlreadyExists, LogMismatch, LogSealed, LogUnavailable
from service.eventlog.codec import decode, encode, mark
from service.eventlog.kafka import KafkaConnection, TopicPlan
from service.eventlog.kafka.record import OVERHEAD_BYTES
from service.eventlog.kafka.sealing import seal_topic, unseal_topic
from service.eventlog.kafka.topic import SEALED_BATCH_BYTES
from service.eventlog.port import Draft
from service.repartition import Step
from service.store import moving_ids, repartition
from service.store.moving_ids import split
from service.store.progress import watermark_us
from tests.eventlog.generations import CLOCK, Place

ALL = 64 * 1024 * 1024
STORE = Path(repartition.__file__).parent
EVENTS = 120
WAYS = [("postgres", 4, "postgres", 7), ("postgres", 4, "kafka", 3), ("kafka", 3, "postgres", 2), ("kafka", 3, "kafka", 5)]


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0]} to {way[2]}")
def way(request: pytest.FixtureRequest) -> tuple[str, int, str, int]:
    found: tuple[str, int, str, int] = request.param
    return found


async def test_broken_off_at_every_step_the_same_command_goes_on_and_each_event_counts_once(
    way: tuple[str, int, str, int], place_with_kafka: Place
) -> None:
    place, (kind, count, next_kind, next_count) = place_with_kafka, way
    await place.begin(kind, count)
    async with place.working() as log:
        rows = await place.rows(EVENTS)
        await place.append(log, rows)
        await place.settled(log)
        before_us = await watermark(place)
        for step in (Step.COPY, Step.SEAL, Step.DRAIN, Step.COPY_REST, Step.SWITCH):
            if step in {Step.COPY, Step.SEAL}:
                more = await place.rows(EVENTS)
                await place.append(log, more)
                rows += more
            async with place.repartitioning(next_kind, next_count) as running:
                async for at in running:
                    if at.step is step:
                        break
            assert (await place.installation()).generation == 1
        with pytest.raises(LogSealed, match="try again"):
            await place.append(log, rows[:1])
    async with place.working():  # the old generation is still the one in use
        await place.repartition(next_kind, next_count)
    now = await place.installation()
    assert (now.log_kind, now.partitions, now.generation) == (next_kind, next_count, 2)
    assert await watermark(place) >= before_us
    async with place.working() as log:
        await place.append(log, rows)
        fresh = await place.rows(EVENTS)
        await place.append(log, fresh)
        report = await place.settled(log)
    assert (report.stored, report.duplicate) == (len(rows) + len(fresh), len(rows))
    assert await leftovers(place) == [0, 0, 0]


async def watermark(place: Place) -> int:
    async with place.pool.acquire() as connection:
        return await watermark_us(connection, (await place.installation()).generation)


async def leftovers(place: Place) -> list[int]:
    """Rows of a repartition that are gone after its end."""
    async with place.pool.acquire() as connection:
        return [
            await connection.fetchval(f"select count(*) from {what}")
            for what in ("copied_ids", "repartition where phase <> 'done'", "seen_ids where generation = 1")
        ]


async def test_killed_at_random_instants_while_events_arrive_each_counts_once(place: Place) -> None:
    chance = random.Random(5)
    await place.begin("postgres", 4)
    acknowledged = []
    ended = asyncio.Event()

    async def send() -> None:
        """As a client does: the same rows again until they are acknowledged, on whatever generation there is."""
        while not ended.is_set():
            rows = await place.rows(5)
            while True:
                try:
                    async with place.log() as log:
                        await place.append(log, rows)
                    break
                except LogUnavailable:
                    place.sequences.clear()
                    place.producer = f"p{chance.getrandbits(60)}"
                    await asyncio.sleep(0.01)
            acknowledged.extend(rows)

    sending = asyncio.create_task(send())
    for partitions in (7, 3):
        longest_s = 0.6
        while (await place.installation()).partitions != partitions:
            async with place.working():
                killed = asyncio.create_task(place.repartition("postgres", partitions))
                await asyncio.wait([killed], timeout=chance.uniform(0.01, longest_s))
                longest_s *= 1.1  # a machine on which no step is done before it is killed must get somewhere, too
                killed.cancel()
                await asyncio.gather(killed, return_exceptions=True)
    ended.set()
    await sending
    await place.repartition("postgres", 3) if await under_way(place) else None
    async with place.working() as log:
        await place.append(log, acknowledged)
        report = await place.settled(log)
    assert report.stored == len(acknowledged) > 0
    assert report.duplicate >= len(acknowledged)


async def under_way(place: Place) -> bool:
    async with place.pool.acquire() as connection:
        return (await repartition.stand(connection))[1] is not None


async def test_an_append_is_before_the_seal_or_refused(place: Place) -> None:
    await place.begin("postgres", 4)
    acknowledged = 0

    async def append(number: int) -> None:
        nonlocal acknowledged
        async with place.log() as log:
            while True:
                try:
                    await log.append([Draft(Partition(p), 1, b"x") for p in (number % 4, (number + 1) % 4)])
                except LogSealed:
                    return
                acknowledged += 2

    appending = [asyncio.create_task(append(number)) for number in range(4)]
    async with asyncio.timeout(60):
        while acknowledged < len(appending):  # noqa: ASYNC110  # appenders set no event
            await asyncio.sleep(0.01)
    async with place.pool.acquire() as connection:
        now, _ = await repartition.stand(connection)
        begun = await repartition.begin(connection, now, log_kind="postgres", partitions=2)
        await repartition.begin_draining(connection, begun, seal=True)
        await asyncio.gather(*appending)
        parts = await repartition.draining(connection, 1)
    assert sum(part.events for part in parts) == acknowledged > 0
    assert all(part.sealed_offset == part.next_offset for part in parts)


async def test_a_sealed_topic_takes_nothing_from_a_process_that_knows_of_nothing(place_with_kafka: Place) -> None:
    place = place_with_kafka
    await place.begin("kafka", 2)
    brokers, topic = KafkaConnection.of(place.settings), TopicPlan.of(place.settings).name(1)
    partitions = [Partition(0), Partition(1)]
    async with place.log() as knows_nothing, place.log() as reader:
        rows = await place.rows(20)
        await place.append(knows_nothing, rows)
        ends = await seal_topic(brokers, topic, partitions, CLOCK)
        again = await seal_topic(brokers, topic, partitions, CLOCK)
        assert all(again[partition] == ends[partition] + 1 for partition in partitions)
        for _ in range(3):
            with pytest.raises(LogSealed, match=f"{topic} is sealed"):
                await place.append(knows_nothing, rows)
        held = await reader.extents()
        assert {partition: each.end for partition, each in held.items()} == again
        assert sum(each.events for each in held.values()) == len(rows)
        records = await reader.read({partition: Offset(0) for partition in partitions}, max_bytes=ALL, wait_s=0)
        assert sum(decode(record.payload).events for record in records) == len(rows)
        async with place.log() as opened_when_sealed:
            assert (await opened_when_sealed.extents()).keys() == held.keys()
        await unseal_topic(brokers, topic)
        await place.eventually_taken(rows)


async def test_a_mark_passes_where_the_smallest_event_does_not(place: Place) -> None:
    await place.begin("postgres", 1)
    [row] = await place.rows(1)
    framing = 61 + 7 + 24  # a batch, a record and its header: https://kafka.apache.org/documentation/#recordbatch
    assert framing < OVERHEAD_BYTES
    assert len(mark("0123456789abcdef")) + framing < SEALED_BATCH_BYTES
    assert len(encode("0123456789abcdef", 0, {"request": [row]})[0].payload) + framing > SEALED_BATCH_BYTES
    assert decode(mark("x")).events == 0


@given(
    ids=st.lists(st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES), min_size=1, max_size=60),
    partitions=st.integers(1, 256),
)
def test_every_id_lies_where_its_copies_will_look(ids: list[bytes], partitions: int) -> None:
    found = dict(split(b"".join(ids), partitions))
    for partition, packed in found.items():
        mine = [packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)]
        assert mine == sorted({each for each in ids if partition_of(each, partitions) == partition})
    assert sum(map(len, found.values())) == HASH_BYTES * len(set(ids))


async def test_ids_that_are_packed_anew_meanwhile_are_copied_again(place: Place) -> None:
    await place.begin("postgres", 1)
    first, second, third = (bytes([n]) * HASH_BYTES for n in (1, 2, 3))
    async with place.pool.acquire() as connection:
        insert = "insert into seen_ids (generation, partition, hour, first_offset, hashes) values (1, 0, 5, $1, $2)"
        await connection.execute(insert, 0, first)
        await connection.execute(insert, 1, second)
        assert await moving_ids.copy_some(connection, 1, partitions=2) == 2
        assert await moving_ids.copy_some(connection, 1, partitions=2) == 0
        await connection.execute("delete from seen_ids where generation = 1")
        await connection.execute(insert, 0, first + second + third)
        assert await moving_ids.copy_some(connection, 1, partitions=2) == 3
        assert (await moving_ids.uncopied(connection, 1)).rows == 0
        rows = await connection.fetch("select partition, hashes from seen_ids where generation = 2")
    copied = {(row["partition"], row["hashes"][at : at + HASH_BYTES]) for row in rows for at in range(0, len(row[1]), HASH_BYTES)}
    assert copied == {(partition_of(each, 2), each) for each in (first, second, third)}


async def test_two_commands_never_work_at_once(place: Place, database_url: str) -> None:
    await place.begin("postgres", 2)
    async with place.pool.acquire() as one, place.pool.acquire() as two:
        await repartition.be_the_only_one(one)
        with pytest.raises(AlreadyExists, match="another `tidegauge repartition` works"):
            await repartition.be_the_only_one(two)
        await one.execute("select pg_advisory_unlock_all()")


async def test_the_commands_lock_keeps_no_worker_from_admitting_new_names(place: Place) -> None:
    await place.begin("postgres", 2)
    async with place.pool.acquire() as connection:
        await repartition.be_the_only_one(connection)
        async with place.working() as log:
            await place.append(log, await place.rows(10))
            assert (await place.settled(log)).stored == 10
        await connection.execute("select pg_advisory_unlock_all()")


def test_advisory_locks_are_told_apart() -> None:
    found = re.findall(
        r"^[A-Z_]+ = (7_419_\d{3})$", "\n".join(each.read_text() for each in STORE.glob("*.py")), flags=re.MULTILINE
    )
    assert len(found) == len(set(found)) >= 5


async def test_a_topic_that_holds_anothers_records_is_never_opened(place_with_kafka: Place) -> None:
    place = place_with_kafka
    await place.begin("kafka", 2)
    async with place.repartitioning("kafka", 3) as running:
        async for at in running:
            assert at.step is not Step.DRAIN
            break
    async with place.pool.acquire() as connection:
        await connection.execute("update installation set generation = 2, partitions = 3")
    async with place.log() as anothers:
        await place.append(anothers, await place.rows(3))
    async with place.pool.acquire() as connection:
        await connection.execute("update installation set generation = 1, partitions = 2")
    with pytest.raises(LogMismatch, match=r"holds records already.*TIDEGAUGE_KAFKA_TOPIC_PREFIX"):
        await place.repartition("kafka", 3)
