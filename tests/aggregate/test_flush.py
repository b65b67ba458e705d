"""A flush writes all of a batch under a living lease, or nothing."""

from typing import Any
from uuid import uuid4

import asyncpg
import numpy as np
import pytest

from service.domain.histogram import split
from service.domain.ids import Offset, Partition
from service.errors import BatchStale, LeaseLost
from service.store import leases
from service.store.flush import Move, flush
from service.store.leases import log_resource
from service.store.staging import Staged, make_stages
from tests.aggregate.conftest import Site

OWNER = uuid4()


async def write(
    connection: asyncpg.pool.PoolConnectionProxy, *, epoch: int = 1, first: int = 0, **rows: list[tuple[Any, ...]]
) -> None:
    move = Move(Partition(0), epoch, Offset(first), Offset(first + 1), 1, 1, 0)
    staged = Staged(rows={"ledger": [(1, "/s", 20_000, 1, 0, 0)], **rows})
    await flush(connection, generation=1, owner=OWNER, moves=[move], staged=staged)


async def hold(connection: asyncpg.pool.PoolConnectionProxy, lease_s: float = 10.0) -> None:
    await make_stages(connection)
    backend = await leases.backend_of(connection)
    resources = [log_resource(1, Partition(0))]
    await leases.take(connection, owner=OWNER, resources=resources, most=1, lease_s=lease_s, backend=backend)


async def written(connection: asyncpg.pool.PoolConnectionProxy) -> tuple[int, int]:
    """Events in the ledger, and the next offset."""
    return (
        await connection.fetchval("select coalesce(sum(stored), 0)::int from ledger"),
        await connection.fetchval("select next_offset from partition_progress where partition = 0"),
    )


async def test_a_batch_is_written_once_and_never_from_another_offset(site: Site) -> None:
    async with site.pool.acquire() as connection:
        await hold(connection)
        await write(connection)
        assert await written(connection) == (1, 1)
        for first in (0, 2):
            with pytest.raises(LeaseLost):
                await write(connection, first=first)
        assert await written(connection) == (1, 1)
        await write(connection, first=1)
        assert await written(connection) == (2, 2)


async def test_an_expired_lease_and_an_old_epoch_write_nothing(site: Site) -> None:
    async with site.pool.acquire() as connection:
        await hold(connection)
        with pytest.raises(LeaseLost):
            await write(connection, epoch=0)
        await connection.execute("update lease set expires_at = clock_timestamp() where resource = 'log/1/0'")
        with pytest.raises(LeaseLost):
            await write(connection)
        assert await written(connection) == (0, 0)


async def test_a_batch_of_an_old_configuration_or_for_a_closed_hour_is_refused(site: Site) -> None:
    async with site.pool.acquire() as connection:
        await hold(connection)
        await connection.execute("update tenant set config_version = 3")
        with pytest.raises(BatchStale):
            await write(connection, version=[(site.tenant, 2)])
        await connection.execute(
            "insert into tenant_hours (tenant, day, had, closed) values ($1, '2024-10-04', 5, 4)", site.tenant
        )
        with pytest.raises(BatchStale):
            await write(connection, version=[(site.tenant, 3)], hours=[(site.tenant, 20_000, 4)])
        assert await written(connection) == (0, 0)
        await write(connection, version=[(site.tenant, 3)], hours=[(site.tenant, 20_000, 1)])
        assert await written(connection) == (1, 1)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([], []),
        ([(1, 2)], []),
        ([(-5, 3), (2, 1)], [(-5, 2), (-1, 7), (2, 1)]),
        ([(n, n) for n in range(1, 60)], [(30, 1), (70, 2)]),
        ([(30, 1)], [(n, n) for n in range(1, 60)]),
        ([(2 * n, 1) for n in range(-40, 40)], [(3 * n, 2) for n in range(-30, 30)]),
    ],
)
async def test_histograms_add_up_bin_by_bin(
    connection: asyncpg.Connection, left: list[tuple[int, int]], right: list[tuple[int, int]]
) -> None:
    def packed(bins: dict[int, int]) -> list[int]:
        return [(number << 48) | count for number, count in sorted(bins.items())]

    expected = {number: dict(left).get(number, 0) + dict(right).get(number, 0) for number in {*dict(left), *dict(right)}}
    found = await connection.fetchval("select hist_add($1::int8[], $2::int8[])", packed(dict(left)), packed(dict(right)))
    assert found == packed(expected)
    assert await connection.fetchval("select hist_add(null, $1::int8[])", packed(dict(left))) == packed(dict(left))
    assert await connection.fetchval("select hist_add($1::int8[], null)", packed(dict(left))) == packed(dict(left))


@pytest.mark.parametrize("others", [0, 40])
async def test_a_bin_that_is_fuller_than_an_entry_gets_another_one(connection: asyncpg.Connection, others: int) -> None:
    most, bin_of_all = (1 << 48) - 1, others + 1
    walked = [(number << 48) | 1 for number in range(1, others + 1)]
    full, one = [*walked, (bin_of_all << 48) | most], [*walked, (bin_of_all << 48) | 1]
    for left, right in ((full, one), (one, full)):
        found = await connection.fetchval("select hist_add($1::int8[], $2::int8[])", left, right)
        bins, counts = split(np.array(found, dtype=np.int64))
        assert dict(zip(bins.tolist(), counts.tolist(), strict=True)) == {
            **dict.fromkeys(range(1, others + 1), 2),
            bin_of_all: most + 1,
        }
