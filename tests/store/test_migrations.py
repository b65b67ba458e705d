"""The migrations and the tables say the same."""

import asyncio
import os

import asyncpg
import pytest
from alembic import command

from service.store.migrate import config


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
