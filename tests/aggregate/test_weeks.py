"""Weeks, their halves and numbers of users by day say what the days say, in whatever order flushes come and however often."""

import random
from itertools import count
from typing import Any

import asyncpg
import pytest

from loadtests import active_weeks
from tests.aggregate.conftest import Site
from tests.aggregate.test_flush import hold, write
from tests.catalog.people import bits

KEPT = {
    "activity_week": "select tenant, population, feature, week, chunk, bits::text from activity_week order by 1, 2, 3, 4, 5",
    "activity_half": "select tenant, population, feature, half, chunk, bits::text from activity_half order by 1, 2, 3, 4, 5",
    "active_count": "select tenant, feature, day, n from active_count order by 1, 2, 3",
}
FORGET = "truncate activity_day, activity_week, activity_half, active_count"
VERSIONS = " union all ".join(f"select xmin::text from {table}" for table in KEPT) + " order by 1"
MONDAY = 20_409
Row = tuple[int, str, int, int, int, asyncpg.BitString]


def row(tenant: int, population: str, feature: int, day: int, chunk: int, *places: int) -> Row:
    """What a batch adds to a day, as it is staged."""
    return tenant, population, feature, day, chunk, bits(set(places))


def batches(seed: int) -> list[list[Row]]:
    """Days of three weeks and of the first one of all, users among few, so that many come again."""
    pick = random.Random(seed)
    made = []
    for _ in range(12):
        rows = {
            key: row(*key, *(pick.randrange(40) for _ in range(pick.randrange(1, 20))))
            for key in (
                (
                    pick.choice([1, 2]),
                    pick.choice(["user", "seat"]),
                    pick.choice([0, 7, 8]),
                    pick.choice([0, MONDAY + pick.randrange(21)]),
                    pick.choice([0, 3]),
                )
                for _ in range(30)
            )
        }
        made.append([rows[key] for key in sorted(rows)])
    return made


async def kept(connection: asyncpg.pool.PoolConnectionProxy) -> dict[str, list[tuple[Any, ...]]]:
    return {table: [tuple(each) for each in await connection.fetch(sql)] for table, sql in KEPT.items()}


@pytest.mark.parametrize("seed", [1, 2])
async def test_any_order_and_any_repetition_of_flushes_leave_what_the_days_say(site: Site, seed: int) -> None:
    told, places = batches(seed), count()
    shuffled = random.Random(seed).sample(told * 2, 2 * len(told))
    async with site.pool.acquire() as connection:
        await hold(connection, 600)
        for batch in told:
            await write(connection, first=next(places), activity=batch)
        flushed = await kept(connection)
        await connection.execute(FORGET)
        for batch in shuffled:
            await write(connection, first=next(places), activity=batch)
        assert await kept(connection) == flushed
        await connection.execute("truncate activity_week, activity_half, active_count")
        for statement in active_weeks.FILLS:
            await connection.execute(statement, [1, 2])
        assert await kept(connection) == flushed
    assert all(flushed.values())


async def test_a_flush_that_adds_nobody_writes_neither_weeks_nor_numbers(site: Site) -> None:
    told = [row(1, population, 0, MONDAY + day, 0, 1, 2) for population in ("seat", "user") for day in range(2, 5)]
    async with site.pool.acquire() as connection:
        await hold(connection, 600)
        await write(connection, first=0, activity=told)
        before = await connection.fetch(VERSIONS)
        await write(connection, first=1, activity=told)
        assert await connection.fetch(VERSIONS) == before
        assert len(before) == 2 + 2 + 3


async def test_a_user_who_comes_again_in_a_week_is_counted_on_the_day_alone(site: Site) -> None:
    async with site.pool.acquire() as connection:
        await hold(connection, 600)
        await write(connection, first=0, activity=[row(1, "user", 0, MONDAY, 0, 1, 2)])
        first = await kept(connection)
        [week] = first["activity_week"]
        await write(connection, first=1, activity=[row(1, "user", 0, MONDAY + 6, 0, 1)])
        await write(connection, first=2, activity=[row(1, "user", 0, MONDAY + 7, 0, 1)])
        after = await kept(connection)
        assert after["activity_week"][0] == week
        assert [each[3].isoweekday() for each in after["activity_week"]] == [1, 1]
        assert (first["activity_half"], [each[3].isoweekday() for each in after["activity_half"]]) == ([], [4])
        assert [each[3] for each in after["active_count"]] == [2, 1, 1]
