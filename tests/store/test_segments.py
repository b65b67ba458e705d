"""Segments say which users have a trait now."""

from collections.abc import Iterable

import asyncpg

from service.store.segments import rebuild

Trait = tuple[str, str, str, int, str]


async def put(connection: asyncpg.Connection, users: int, traits: Iterable[Trait]) -> None:
    await connection.executemany("insert into app_user values (1, $1, $2)", [(f"u{number}", number) for number in range(users)])
    await connection.executemany(
        "insert into state values (1, 'user', $1, $2, 'trait.' || $3, $4, '/s', 'e', $5)",
        [(who, account, field, time_us, value) for who, account, field, time_us, value in traits],
    )
    await connection.execute("insert into segment_dirty select 1, n from generate_series(0, $1 / 2048) n", users)


async def members(connection: asyncpg.Connection, dimension: str, value: str) -> set[int]:
    rows = await connection.fetch(
        "select chunk * 2048 + place as ordinal from segment cross join generate_series(0, 2047) place"
        " where tenant = 1 and dimension = $1 and value = $2 and get_bit(bits, place) = 1",
        dimension,
        value,
    )
    return {row["ordinal"] for row in rows}


async def test_the_newest_trait_of_a_user_counts_whatever_account_it_came_with(connection: asyncpg.Connection) -> None:
    await put(connection, 3, [("u0", "a", "role", 5, "admin"), ("u0", "b", "role", 9, "member"), ("u2", "", "role", 1, "admin")])
    assert await rebuild(connection) == 1
    assert await members(connection, "role", "admin") == {2}
    assert await members(connection, "role", "member") == {0}


async def test_only_changed_chunks_are_rebuilt_and_old_values_go(connection: asyncpg.Connection) -> None:
    await put(connection, 4_000, [("u1", "", "region", 1, "eu"), ("u3000", "", "region", 1, "eu")])
    assert await rebuild(connection) == 2
    assert await members(connection, "region", "eu") == {1, 3_000}
    await connection.execute("update state set value = 'us', time_us = 2")
    await connection.execute("insert into segment_dirty values (1, 1)")
    assert await rebuild(connection) == 1
    assert await members(connection, "region", "eu") == {1}
    assert await members(connection, "region", "us") == {3_000}
    assert await rebuild(connection) == 0


async def test_rebuilt_segments_make_a_tenant_be_looked_at_again(connection: asyncpg.Connection) -> None:
    await connection.execute("insert into tenant_dirty (tenant, flush) values (1, 7), (2, 7)")
    await put(connection, 2, [("u1", "", "region", 1, "eu")])
    await rebuild(connection)
    assert [tuple(row) for row in await connection.fetch("select tenant, flush from tenant_dirty order by tenant")] == [
        (1, 8),
        (2, 7),
    ]
    await rebuild(connection)
    assert await connection.fetchval("select flush from tenant_dirty where tenant = 1") == 8
