"""Uses of each account and feature by day say what the series of facts say, in whatever order flushes come."""

import random
from decimal import Decimal
from itertools import count
from typing import Any

import asyncpg
import pytest
from alembic.script import ScriptDirectory

from service.store.migrate import config
from tests.aggregate.conftest import Site
from tests.aggregate.test_flush import hold, write
from tests.catalog.rollups import SERIES_ID

KEPT = "select tenant, day, account, feature, total from use_day order by 1, 2, 3, 4"
FORGET = "truncate use_day, fact_day"
MONDAY = 20_409
NANO = 10**9
SERIES = (
    (1, "usage", "acme", '{"feature": "csv"}'),
    (1, "usage", "acme", '{"ok": "false", "feature": "csv"}'),
    (1, "usage", "acme", '{"feature": "csv", "property.size": "large"}'),
    (1, "usage", "globex", '{"feature": "csv"}'),
    (1, "usage", "", '{"feature": "csv"}'),
    (1, "usage_named", "", '{"feature": "csv"}'),
    (1, "usage_account", "acme", "{}"),
    (2, "usage", "acme", '{"feature": "search"}'),
    (2, "request", "acme", '{"route": "/v1/things"}'),
)
"""What may be told apart by outcome and property, and what is no use of an account."""


def batches(seed: int, ids: list[int]) -> list[list[tuple[Any, ...]]]:
    """Facts of three days, some of them minutes and quarters too or alone, with sums beyond 64 bits."""
    pick = random.Random(seed)
    made = []
    for _ in range(8):
        keys = {(pick.choice(ids), MONDAY + pick.randrange(3)) for _ in range(12)}
        rows = []
        for series, day in sorted(keys):
            total = Decimal(pick.choice([1, 3 * NANO, 10**20]))
            values = (None, None) if SERIES[ids.index(series)][1] != "request" else (Decimal(1), Decimal(2))
            rows.append((series, None, None, day, 1, total, *values, None, None, None, None, None))
        made.append(rows)
    return made


@pytest.mark.parametrize("seed", [1, 2])
async def test_any_order_of_flushes_leaves_the_days_that_a_migration_makes_of_the_series(site: Site, seed: int) -> None:
    fill = ScriptDirectory.from_config(config()).get_revision("0028").module.FILL
    places = count()
    async with site.pool.acquire() as connection:
        ids = [await connection.fetchval(SERIES_ID, *each) for each in SERIES]
        told = batches(seed, ids)
        await hold(connection, 600)
        for batch in told:
            await write(connection, first=next(places), fact=batch)
        flushed = await kept(connection)
        await connection.execute("truncate use_day")
        await connection.execute(fill)
        assert await kept(connection) == flushed
        await connection.execute(FORGET)
        for batch in random.Random(seed).sample(told, len(told)):
            await write(connection, first=next(places), fact=batch)
        assert await kept(connection) == flushed
    assert {each[2:4] for each in flushed} == {("acme", "csv"), ("globex", "csv"), ("acme", "search")}


async def kept(connection: asyncpg.pool.PoolConnectionProxy) -> list[tuple[Any, ...]]:
    return [tuple(each) for each in await connection.fetch(KEPT)]
