"""What others do meanwhile: evaluators that have not looked yet, processes of a release before, roles, and Postgres itself."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from service.clock import DAY, HOUR
from service.errors import StoreUnavailable
from service.eventlog.former import trim_former
from service.eventlog.postgres_statements import DELETE_FORMER
from service.following import follow
from service.repartition import Step
from service.settings import Settings
from service.store import ids, moving_ids, repartition
from service.store.engine import Connection
from service.store.installation import Installation, ensure_installation
from tests.eventlog.generations import CLOCK, Place

ANY_HOUR = 480_005
INSERT_IDS = """
insert into seen_ids (generation, partition, hour, first_offset, hashes, written_at)
values (1, 0, $1, $2, $3, now() - $4 * interval '1 day')
"""
INSERT_RECORDS = "insert into log_record select 1, $1, n, 1, $4, 'x' from generate_series($2::int, $3::int - 1) n"


async def test_an_evaluator_that_has_not_looked_closes_no_hour_of_ids_that_are_being_deleted(place: Place) -> None:
    await place.begin("postgres", 1)
    async with place.pool.acquire() as connection:
        await connection.execute(INSERT_IDS, ANY_HOUR, 1, b"a" * 16, 40)
        await connection.execute(INSERT_IDS, ANY_HOUR, 9, b"b" * 16, 0)
        had = "insert into tenant_hours (tenant, day, had) values ($1, date '1970-01-01' + $2::int, $3)"
        await connection.execute(had, place.tenant, ANY_HOUR // 24, 1 << ANY_HOUR % 24)

        async def closed() -> int:
            reached_us = ANY_HOUR * HOUR + 60 * DAY
            return await ids.close_hours(connection, 1, reached_us=reached_us, max_lateness_us=7 * DAY)

        assert await closed() == 0  # one of its rows is young
        await switched(connection)
        await connection.execute("delete from seen_ids where generation = 1 and first_offset = 9")
        assert await closed() == 0
        assert await connection.fetchval("select closed from tenant_hours") == 0


async def test_an_evaluator_that_has_not_looked_packs_no_ids_of_a_generation_that_is_gone(place: Place) -> None:
    await place.begin("postgres", 1)
    rows = ids.COMPACT_ROWS + 1
    async with place.pool.acquire() as connection:
        for offset in range(rows):
            await connection.execute(INSERT_IDS, ANY_HOUR, offset, offset.to_bytes(16), 0)
        await switched(connection)
        assert (await ids.compact(connection, 1)).rows == 0
        assert await connection.fetchval("select count(*) from seen_ids where generation = 1") == rows
        assert (await connection.fetchval("select sum(octet_length(hashes)) from seen_ids where generation = 2")) == 16 * rows


async def switched(connection: Connection) -> None:
    """To generation 2; the ids of the one before are still there."""
    now, _ = await repartition.stand(connection)
    begun = await repartition.begin(connection, now, log_kind="postgres", partitions=2)
    await moving_ids.copy_some(connection, now.generation, partitions=2)
    await repartition.begin_draining(connection, begun, seal=True)
    await repartition.switch(connection, begun)


async def test_records_of_former_generations_go_up_to_the_first_young_one(place: Place) -> None:
    await place.begin("postgres", 3)
    async with place.pool.acquire() as connection:
        for words in [(0, 0, 3, 9), (0, 3, 9, 1), (1, 0, 5_000, 1), (1, 5_000, 5_002, 9), (2, 0, 7, 1)]:
            await connection.execute(INSERT_RECORDS, *words)
    assert await trim_former(place.pool, 1, older_than_us=5) == 0
    assert await trim_former(place.pool, 2, older_than_us=5) == 5_007
    async with place.pool.acquire() as connection:
        left = await connection.fetch('select partition, min("offset"), count(*) from log_record group by 1 order by 1')
    assert [tuple(row) for row in left] == [(0, 0, 9), (1, 5_000, 2)]


async def test_where_nothing_is_old_one_record_a_partition_is_looked_at(place: Place) -> None:
    await place.begin("postgres", 3)
    async with place.pool.acquire() as connection:
        for partition in range(3):
            await connection.execute(INSERT_RECORDS, partition, 0, 5_000, 9)
        await connection.execute("analyze log_record")
        found = await connection.fetchval(f"explain (analyze, format json) {DELETE_FORMER}", 2, 5, 1_000)
    assert most_rows(json.loads(found)[0]["Plan"]) == 3


def most_rows(plan: dict[str, Any]) -> float:
    """The most rows that any node of a plan has handed over or thrown away, in all its loops."""
    rows = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return float(max([rows, *map(most_rows, plan.get("Plans", []))]))


async def test_a_process_of_a_release_that_knows_of_no_seal_appends_nothing_to_a_sealed_generation(place: Place) -> None:
    await place.begin("postgres", 2)
    async with place.pool.acquire() as connection:
        before = "update log_partition set next_offset = next_offset + 1, events = events + 1 where generation = 1"
        await connection.execute(before)
        now, _ = await repartition.stand(connection)
        begun = await repartition.begin(connection, now, log_kind="postgres", partitions=3)
        await repartition.begin_draining(connection, begun, seal=True)
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="generation 1 of the event log is sealed"):
            await connection.execute(before)
        await repartition.abandon(connection, begun)
        await connection.execute(before)


async def test_a_role_goes_on_where_the_log_moved_twice_while_it_looked_once(place: Place) -> None:
    await place.begin("postgres", 4)
    found: list[int] = []

    async def role(settings: Settings) -> Installation | None:
        async with place.pool.acquire() as connection:
            here = await ensure_installation(connection, settings, log_kind="postgres")
        found.append(here.partitions)
        if here.generation > 1:
            return None
        async with place.working():
            await place.repartition("postgres", 7)
        looked = await place.installation()
        async with place.working():
            await place.repartition("postgres", 3)
        return looked

    await follow(role, place.settings)
    assert found == [4, 3]
    assert "partitions" in place.settings.model_fields_set


async def test_where_postgres_fails_the_command_says_what_to_run(place: Place) -> None:
    await place.begin("postgres", 2)
    async with place.pool.acquire() as connection:
        await connection.execute(INSERT_IDS, ANY_HOUR, 1, b"a" * 16, 0)
        async with place.repartitioning("postgres", 3) as running:
            assert (await anext(running)).step is Step.COPY
            await connection.execute(
                "select pg_terminate_backend(pid, 10000) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
            with pytest.raises(StoreUnavailable, match=r"run `tidegauge repartition` again, which goes on, or .* --abandon"):
                await anext(running)
    async with place.working():
        await place.repartition("postgres", 3)


async def test_how_long_no_events_were_taken_counts_from_the_first_seal_also_for_another_command(place: Place) -> None:
    await place.begin("postgres", 2)
    async with place.working():
        async with place.repartitioning("postgres", 3) as running:
            async for at in running:
                if at.step is Step.DRAIN:
                    break
        sealed_us = CLOCK.now_us()
        await asyncio.sleep(0.2)
        until_us = CLOCK.now_us()
        await place.repartition("postgres", 3)
    async with place.pool.acquire() as connection:
        begun = repartition.Repartition(2, "postgres", 3, "postgres", repartition.Phase.CLEANING)
        assert await repartition.pause_s(connection, begun) >= (until_us - sealed_us) / 1_000_000
