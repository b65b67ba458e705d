"""A schema is not changed under those who write to it, and none of them starts on one that it does not know."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from service.errors import SchemaMismatch, StoreUnavailable
from service.store.engine import sqlalchemy_url
from service.store.migrate import config, migrate
from service.store.schema import check_schema, newest, revision

PATIENCE_S = 120
FIRST, NEWER = "0001", "9999"
UNDATED = "0022"
"""The last one in which counters of SLOs do not say since when they count."""
# Whether somebody has the turn to migrate this database.
TURN = """
select exists (
    select from pg_locks l join pg_database d on d.oid = l.database
    where l.locktype = 'advisory' and l.granted and d.datname = current_database()
)
"""


async def to_release(url: str, connection: asyncpg.Connection, newest_then: str = FIRST) -> None:
    """The database as the migrations up to one of them make it."""

    def upgrade(to: Connection) -> None:
        made = config()
        made.attributes["connection"] = to
        command.upgrade(made, newest_then)

    await connection.execute("drop schema public, grafana cascade; create schema public")
    engine = create_async_engine(sqlalchemy_url(url))
    async with engine.connect() as to:
        await to.run_sync(upgrade)
        await to.commit()
    await engine.dispose()


async def stand_by(connection: asyncpg.Connection) -> UUID:
    """An aggregator of the release before that lives, and holds nothing."""
    worker = uuid4()
    await connection.execute(
        "insert into worker (id, role, host, pid, beat_at) values ($1, 'aggregate', 'old.example', 17, 'infinity')", worker
    )
    return worker


async def work(connection: asyncpg.Connection) -> None:
    """One that was heard of long ago, with a lease."""
    worker = await stand_by(connection)
    await connection.execute("update worker set beat_at = '-infinity'")
    await connection.execute(
        "insert into lease (resource, owner, expires_at) values ('log/1/0', $1, clock_timestamp() + interval '1 day')", worker
    )


async def test_a_schema_is_changed_only_when_those_who_write_to_it_have_ended(
    database_url: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await to_release(database_url, connection)
    await work(connection)
    with monkeypatch.context() as patched:
        patched.setattr("service.store.migrate.STOP_WAIT_S", 0.1)
        with pytest.raises(StoreUnavailable, match=r"under those who write to it: aggregate on old\.example \(process 17\)"):
            await migrate(database_url)
    assert await revision(connection) == FIRST

    # No machine is so slow that the lease ends too late.
    monkeypatch.setattr("service.store.migrate.STOP_WAIT_S", 10.0 * PATIENCE_S)
    migrating = asyncio.create_task(migrate(database_url))
    async with asyncio.timeout(PATIENCE_S):
        while not await connection.fetchval(TURN):  # noqa: ASYNC110  # it is Postgres that knows
            await asyncio.sleep(0.05)
    assert await revision(connection) == FIRST
    await connection.execute("update lease set expires_at = clock_timestamp()")
    await migrating
    assert await revision(connection) == newest()


async def test_whoever_may_take_a_lease_at_the_next_moment_has_to_end_too(
    database_url: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await to_release(database_url, connection)
    await stand_by(connection)
    monkeypatch.setattr("service.store.migrate.STOP_WAIT_S", 0.1)
    with pytest.raises(StoreUnavailable, match=r"aggregate on old\.example \(process 17\)"):
        await migrate(database_url)
    await connection.execute("delete from worker")
    await migrate(database_url)
    assert await revision(connection) == newest()


async def test_where_there_is_nothing_to_migrate_nobody_has_to_end(database_url: str, connection: asyncpg.Connection) -> None:
    await work(connection)
    await migrate(database_url)


async def test_who_writes_does_not_start_on_the_schema_of_a_newer_release_and_a_door_stays_open(
    database_url: str, connection: asyncpg.Connection
) -> None:
    await check_schema(connection, writes=True)
    await connection.execute("update alembic_version set version_num = $1", NEWER)
    await check_schema(connection, writes=False)
    with pytest.raises(
        SchemaMismatch, match=f"schema {NEWER} of a newer release, and this one knows {newest()}: .*ALLOW_NEWER_SCHEMA"
    ):
        await check_schema(connection, writes=True)
    with pytest.raises(SchemaMismatch, match=f"this one leads to {newest()}: run the newer"):
        await migrate(database_url)


async def test_nobody_starts_on_the_schema_of_an_older_release_or_on_none(connection: asyncpg.Connection) -> None:
    await connection.execute("update alembic_version set version_num = $1", FIRST)
    with pytest.raises(SchemaMismatch, match=f"has schema {FIRST}, and this release needs {newest()}: run `tidegauge migrate`"):
        await check_schema(connection, writes=False)
    await connection.execute("drop table alembic_version")
    with pytest.raises(SchemaMismatch, match="has no schema yet: run `tidegauge migrate`"):
        await check_schema(connection, writes=False)


async def test_counters_of_slos_that_are_older_than_their_date_stay_without_one_and_new_ones_have_theirs(
    database_url: str, connection: asyncpg.Connection
) -> None:
    await to_release(database_url, connection, UNDATED)
    tenant = await connection.fetchval("insert into tenant (name, timezone) values ('acme', 'UTC') returning id")
    await connection.execute("insert into slo_counter (tenant, slo, good, total) values ($1, 'old', 8, 9)", tenant)
    await migrate(database_url)
    await connection.execute("insert into slo_counter (tenant, slo, good, total) values ($1, 'new', 0, 0)", tenant)
    rows = await connection.fetch("select slo, good, total, created_at is not null as is_dated from slo_counter order by slo")
    assert [tuple(row) for row in rows] == [("new", 0, 0, True), ("old", 8, 9, False)]


def test_the_newest_schema_is_what_the_migrations_lead_to() -> None:
    assert ScriptDirectory.from_config(config()).get_heads() == [newest()]
