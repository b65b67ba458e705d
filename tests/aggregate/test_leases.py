"""A lease is held by one, expires by Postgres's clock, and fences whoever lost it."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest

from service.store import leases
from service.store.engine import SERVER_SETTINGS
from service.store.leases import Backend, Crew, Lease, Member
from tests.aggregate.conftest import Site

RESOURCES = ["job/0", "job/1", "job/2"]


def member(number: int, role: str = "aggregate") -> Member:
    return Member(UUID(int=number), role, "host", number)


async def take(connection: asyncpg.Connection, owner: UUID, *, lease_s: float = 10.0, most: int = 3) -> list[Lease]:
    backend = await leases.backend_of(connection)
    return await leases.take(connection, owner=owner, resources=RESOURCES, most=most, lease_s=lease_s, backend=backend)


async def test_what_is_held_is_not_taken_and_what_is_released_is_taken_at_once(connection: asyncpg.Connection) -> None:
    first, second = uuid4(), uuid4()
    held = await take(connection, first, most=2)
    assert [lease.resource for lease in held] == ["job/0", "job/1"]
    assert [lease.resource for lease in await take(connection, second)] == ["job/2"]
    await leases.release(connection, owner=first, leases=held)
    retaken = await take(connection, second)
    # Its own is taken anew: an epoch is of one taking.
    assert [(lease.resource, lease.epoch) for lease in retaken] == [("job/0", 2), ("job/1", 2), ("job/2", 2)]


async def test_an_expired_lease_goes_to_another_with_a_higher_epoch_and_cannot_be_renewed(
    connection: asyncpg.Connection,
) -> None:
    first, second = uuid4(), uuid4()
    backend = await leases.backend_of(connection)
    held = await take(connection, first, lease_s=0.05)
    await asyncio.sleep(0.1)
    taken = await take(connection, second, most=1)
    assert taken == [Lease("job/0", held[0].epoch + 1)]
    kept = await leases.renew(connection, owner=first, leases=held, lease_s=10.0, backend=backend)
    assert kept == {"job/1", "job/2"}


async def test_an_old_epoch_of_the_same_owner_neither_renews_nor_releases(connection: asyncpg.Connection) -> None:
    owner = uuid4()
    backend = await leases.backend_of(connection)
    old = await take(connection, owner, most=1, lease_s=0.01)
    await asyncio.sleep(0.05)
    new = await take(connection, owner, most=1)
    assert new[0].epoch == old[0].epoch + 1
    assert await leases.renew(connection, owner=owner, leases=old, lease_s=10.0, backend=backend) == set()
    await leases.release(connection, owner=owner, leases=old)
    assert await leases.renew(connection, owner=owner, leases=new, lease_s=10.0, backend=backend) == {"job/0"}


async def test_whoever_takes_an_expired_lease_ends_the_backend_of_the_former_holder(
    connection: asyncpg.Connection, database_url: str
) -> None:
    former = await asyncpg.connect(database_url, server_settings=SERVER_SETTINGS)
    await take(former, uuid4(), lease_s=0.01)
    await asyncio.sleep(0.05)
    await take(connection, uuid4())
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)):
        await former.execute("select 1")
    await former.close()


async def test_a_backend_that_only_has_the_same_process_id_is_left_alone(
    connection: asyncpg.Connection, database_url: str
) -> None:
    innocent = await asyncpg.connect(database_url)
    backend = await leases.backend_of(innocent)
    stale = Backend(backend.pid, backend.started_at.replace(year=2020))
    await leases.take(connection, owner=uuid4(), resources=RESOURCES, most=3, lease_s=0.01, backend=stale)
    await asyncio.sleep(0.05)
    assert len(await take(connection, uuid4())) == 3
    assert await innocent.fetchval("select 1") == 1
    await innocent.close()


async def test_many_that_take_at_once_never_hold_the_same(site: Site) -> None:
    async def one() -> list[Lease]:
        async with site.pool.acquire() as connection:
            backend = await leases.backend_of(connection)
            return await leases.take(connection, owner=uuid4(), resources=RESOURCES, most=2, lease_s=10.0, backend=backend)

    taken = [lease.resource for found in await asyncio.gather(*(one() for _ in range(12))) for lease in found]
    assert sorted(taken) == RESOURCES


async def test_shares_add_up_and_differ_by_one_at_the_most(connection: asyncpg.Connection) -> None:
    for size in range(1, 9):
        shares = [Crew(size, rank).share(12) for rank in range(size)]
        assert sum(shares) == 12
        assert max(shares) - min(shares) <= 1


async def test_a_silent_member_is_counted_no_longer_than_a_lease(connection: asyncpg.Connection) -> None:
    assert await leases.beat(connection, member(2), lease_s=60) == Crew(1, 0)
    assert await leases.beat(connection, member(1), lease_s=60) == Crew(2, 0)
    assert await leases.beat(connection, member(2), lease_s=60) == Crew(2, 1)
    assert await leases.beat(connection, member(3, role="evaluate"), lease_s=60) == Crew(1, 0)
    await connection.execute("update worker set beat_at = beat_at - interval '61 seconds' where id = $1", member(2).id)
    assert await leases.beat(connection, member(1), lease_s=60) == Crew(1, 0)
    await leases.leave(connection, member(1))
    assert await leases.beat(connection, member(2), lease_s=60) == Crew(1, 0)
