"""What an installation fixes at its first start holds for every later one."""

import asyncio

import asyncpg
import pytest

from service.errors import LogMismatch
from service.settings import Settings
from service.store.installation import Installation, ensure_installation


async def start(connection: asyncpg.Connection, log_kind: str = "postgres", **changed: int) -> Installation:
    return await ensure_installation(connection, Settings(**changed), log_kind=log_kind)  # type: ignore[arg-type]


async def test_the_first_start_fixes_what_the_settings_say(connection: asyncpg.Connection) -> None:
    fixed = await start(connection, partitions=6, max_lateness_days=3)
    assert (fixed.log_kind, fixed.generation, fixed.partitions, fixed.max_lateness_s) == ("postgres", 1, 6, 3 * 86_400)
    assert len(fixed.hash_key) == 32


async def test_a_second_start_finds_the_same_installation(connection: asyncpg.Connection) -> None:
    assert await start(connection) == await start(connection)


async def test_two_installations_never_share_a_hash_key(connection: asyncpg.Connection) -> None:
    first = await start(connection)
    await connection.execute("truncate installation, log_partition, partition_progress, lease")
    assert (await start(connection)).hash_key != first.hash_key


async def test_processes_that_start_at_once_agree(database_url: str) -> None:
    connections = [await asyncpg.connect(database_url) for _ in range(8)]
    found = await asyncio.gather(*(start(connection) for connection in connections))
    assert len(set(found)) == 1
    assert await connections[0].fetchval("select count(*) from log_partition") == found[0].partitions
    for connection in connections:
        await connection.close()


async def test_every_partition_has_its_counter_its_progress_and_its_lease(connection: asyncpg.Connection) -> None:
    await start(connection, partitions=3)
    expected = [(1, 0), (1, 1), (1, 2)]
    for table in ("log_partition", "partition_progress"):
        rows = await connection.fetch(f"select generation, partition from {table} order by partition")
        assert [tuple(row) for row in rows] == expected
    leases = await connection.fetch("select resource, epoch, owner from lease order by resource")
    assert [tuple(row) for row in leases] == [(name, 0, None) for name in ("evaluate", "log/1/0", "log/1/1", "log/1/2")]


async def test_another_partition_count_is_refused_with_both_counts_and_the_way_out(connection: asyncpg.Connection) -> None:
    await start(connection, partitions=4)
    with pytest.raises(
        LogMismatch, match=r"has 4 partitions, the settings say 12: set TIDEGAUGE_PARTITIONS=4 .*, or .*repartition"
    ):
        await start(connection, partitions=12)


async def test_another_kind_of_log_is_refused(connection: asyncpg.Connection) -> None:
    await start(connection)
    with pytest.raises(LogMismatch, match="log is in postgres, the settings say kafka: unset TIDEGAUGE_KAFKA_BOOTSTRAP"):
        await start(connection, log_kind="kafka")


async def test_another_lateness_is_refused(connection: asyncpg.Connection) -> None:
    await start(connection, max_lateness_days=7)
    with pytest.raises(LogMismatch, match="7 days late, the settings say 30: set TIDEGAUGE_MAX_LATENESS_DAYS=7"):
        await start(connection, max_lateness_days=30)


async def test_all_differences_are_named_at_once(connection: asyncpg.Connection) -> None:
    await start(connection)
    with pytest.raises(LogMismatch, match=r"say kafka.*say 5.*say 9"):
        await start(connection, log_kind="kafka", partitions=5, max_lateness_days=9)
    assert await connection.fetchval("select count(*) from log_partition") == 4
