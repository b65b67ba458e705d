"""The migrations and the tables say the same."""

import asyncio
import os

import asyncpg
import pytest
from alembic import command

from service.store.migrate import config, migrate

PATIENCE_S = 120


async def test_the_migrations_make_the_tables_that_the_code_knows(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGAUGE_DATABASE_URL", database_url)
    assert os.environ["TIDEGAUGE_DATABASE_URL"] == database_url
    await asyncio.to_thread(command.check, config())


async def test_every_table_says_what_it_holds(connection: asyncpg.Connection) -> None:
    silent = await connection.fetch(
        "select relname from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace"
        " and not relispartition and relname <> 'alembic_version' and obj_description(oid) is null"
    )
    assert silent == []


async def test_no_time_out_ends_the_turn_of_a_long_migration(database_url: str, connection: asyncpg.Connection) -> None:
    """Who holds the turn waits in no transaction, which Postgres is told to end after a minute."""
    held = connection.transaction()
    await held.start()
    await connection.execute("lock table alembic_version in access exclusive mode")
    migrating = asyncio.create_task(migrate(database_url))
    asked = (
        "select a.state from pg_locks l join pg_stat_activity a using (pid) where l.locktype = 'advisory' and l.granted"
        " and a.datname = current_database() and exists (select from pg_locks w where w.relation = 'alembic_version'::regclass"
        " and not w.granted)"
    )
    async with asyncio.timeout(PATIENCE_S):
        while (state := await connection.fetchval(asked)) is None:
            assert not migrating.done()
            await asyncio.sleep(0.05)
    await held.rollback()
    await migrating
    assert state == "idle", "a migration may take longer than `idle_in_transaction_session_timeout`"
