"""A repartition that is taken back: the log is as it was, also where that was broken off or the next log is away."""

import asyncpg
import pytest

from service.abandoning import Undo
from service.errors import InvalidSettings, LogMismatch, LogSealed
from service.repartition import Step, check_target
from service.store import repartition
from tests.eventlog.generations import Place


@pytest.fixture(params=["postgres", "kafka"])
async def sealed(request: pytest.FixtureRequest, place_with_kafka: Place) -> Place:
    """An installation that is being drained; no worker runs."""
    await place_with_kafka.begin(request.param, 2)
    await until_drained(place_with_kafka, request.param)
    return place_with_kafka


async def until_drained(place: Place, kind: str) -> None:
    async with place.repartitioning(kind, 3) as running:
        async for at in running:
            if at.step is Step.DRAIN:
                break


async def test_what_is_taken_back_leaves_the_log_as_it_was(sealed: Place) -> None:
    rows = await sealed.rows(10)
    async with sealed.pool.acquire() as connection:
        now, begun = await repartition.stand(connection)
    assert begun is not None
    assert (await sealed.taken_back()).left_behind == ""
    await sealed.eventually_taken(rows)
    async with sealed.working() as log:
        assert (await sealed.settled(log)).stored == len(rows)
    assert await sealed.installation() == now
    async with sealed.pool.acquire() as connection:
        for table in ("log_partition", "partition_progress", "seen_ids"):
            assert await connection.fetchval(f"select count(*) from {table} where generation = 2") == 0
    async with sealed.working():
        await sealed.repartition(now.log_kind, 3)
    assert (await sealed.installation()).partitions == 3
    async with sealed.pool.acquire() as connection:
        for undo in (repartition.forget_seal, repartition.abandon):
            with pytest.raises(LogMismatch, match="in use already"):
                await undo(connection, begun)


@pytest.mark.parametrize("step", Undo)
async def test_taken_back_half_way_and_finished_after_all_nothing_is_acknowledged_that_nobody_reads(
    step: Undo, sealed: Place
) -> None:
    kind = (await sealed.installation()).log_kind
    rows = await sealed.rows(10)
    async with sealed.log() as opened_before:
        await sealed.taken_back(until=step)
        async with sealed.working():
            await sealed.repartition(kind, 3)
        assert (await sealed.installation()).generation == 2
        with pytest.raises(LogSealed):
            await sealed.append(opened_before, rows)
    async with sealed.working() as log:
        await sealed.append(log, rows)
        assert (await sealed.settled(log)).stored == len(rows)


@pytest.mark.parametrize("step", Undo)
async def test_taken_back_half_way_the_same_again_takes_it_back(step: Undo, sealed: Place) -> None:
    rows = await sealed.rows(10)
    await sealed.taken_back(until=step)
    async with sealed.pool.acquire() as connection:
        _, under_way = await repartition.stand(connection)
    if under_way is not None:
        await sealed.taken_back()
    await sealed.eventually_taken(rows)
    async with sealed.working() as log:
        assert (await sealed.settled(log)).stored == len(rows)


@pytest.mark.parametrize("away", ["127.0.0.1:1", None], ids=["that is away", "that nobody has configured"])
async def test_the_way_to_a_kafka_is_taken_back_without_it(away: str | None, place_with_kafka: Place) -> None:
    place = place_with_kafka
    await place.begin("postgres", 2)
    async with place.working() as log:
        await until_drained(place, "kafka")
        rows = await place.rows(10)
        with pytest.raises(LogSealed):
            await place.append(log, rows)
        reachable, place.settings = place.settings, place.settings.model_copy(update={"kafka_bootstrap": away})
        left_behind = (await place.taken_back()).left_behind
        assert f"The topic {reachable.kafka_topic_prefix}-2, if it was made, is left" in left_behind
        await place.append(log, rows)
        assert (await place.settled(log)).stored == len(rows)
        place.settings = reachable
        await place.repartition("kafka", 3)
    assert (await place.installation()).log_kind == "kafka"


async def test_what_kafka_would_refuse_is_said_before_anything_is_noted(pool: asyncpg.Pool, place_with_kafka: Place) -> None:
    place = place_with_kafka
    await place.begin("postgres", 2)
    unsafe = place.settings.model_copy(update={"allow_single_broker": False, "kafka_min_insync_replicas": 1})
    with pytest.raises(InvalidSettings, match="TIDEGAUGE_ALLOW_SINGLE_BROKER=true where that may be"):
        await check_target(unsafe, log_kind="kafka", generation=2, partitions=3)
    await check_target(place.settings, log_kind="kafka", generation=2, partitions=3)
    await until_drained(place, "kafka")
    with pytest.raises(LogMismatch, match=r"-2 already, of 3 partitions, not 5: .* TIDEGAUGE_KAFKA_TOPIC_PREFIX each"):
        await check_target(place.settings, log_kind="kafka", generation=2, partitions=5)
