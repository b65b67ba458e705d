"""Bringing a database to this version's schema."""

import asyncio

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from service.clock import Clock, SystemClock
from service.errors import SchemaMismatch, StoreUnavailable
from service.settings import Settings, load
from service.store.engine import SERVER_SETTINGS, sqlalchemy_url
from service.store.partitions import ensure_partitions
from service.store.schema import at_work, newest, revision, scripts

MIGRATION_LOCK = 7_419_001
STOP_WAIT_S = 60.0
"""How long a migration waits for aggregators and the evaluator to end."""
POLL_S = 0.2


def config() -> Config:
    """Alembic's configuration, without an ini file."""
    made = Config()
    made.set_main_option("script_location", str(scripts()))
    return made


def _upgrade(connection: Connection) -> None:
    made = config()
    made.attributes["connection"] = connection
    command.upgrade(made, "head")


async def migrate(url: str, settings: Settings | None = None, *, clock: Clock | None = None) -> None:
    """Bring the database to the newest schema; several processes may call it at once.

    Then makes the partitions of the time-keyed tables for the whole span that is kept, by the retention
    of `settings` (those of the environment where none are given).

    Raises SchemaMismatch where the database is of a newer release, and StoreUnavailable where there is something to migrate and
    aggregators or the evaluator go on working: those of the release before may write to where nothing is read any more.
    """
    settings = settings or load()
    engine = create_async_engine(sqlalchemy_url(url))
    try:
        async with engine.connect() as guard:
            # In no transaction while it waits: Postgres ends those that idle in one, and a migration may take longer.
            await guard.execution_options(isolation_level="AUTOCOMMIT")
            await guard.execute(text("select pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            await _until_nobody_writes(url, settings.lease_s)
            async with engine.connect() as connection:
                await connection.run_sync(_upgrade)
                await connection.commit()
            await guard.execute(text("select pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
    finally:
        await engine.dispose()
    maker = await asyncpg.connect(url, server_settings=SERVER_SETTINGS)
    try:
        await ensure_partitions(maker, now_us=(clock or SystemClock()).now_us(), settings=settings)
    finally:
        await maker.close()


async def _until_nobody_writes(url: str, lease_s: float) -> None:
    """Wait for those to end that write under a lease, if there is something to migrate; raises as `migrate` does."""
    connection = await asyncpg.connect(url, server_settings=SERVER_SETTINGS)
    try:
        found = await revision(connection)
        if found is None or found == newest():
            return
        if found > newest():
            raise SchemaMismatch(
                f"the database has schema {found} of a newer release, and this one leads to {newest()}: run the newer "
                "release, or restore a backup of before"
            )
        working = await at_work(connection, lease_s=lease_s)
        try:
            async with asyncio.timeout(STOP_WAIT_S):
                while working:
                    await asyncio.sleep(POLL_S)
                    working = await at_work(connection, lease_s=lease_s)
        except TimeoutError:
            raise StoreUnavailable(
                f"schema {found} cannot be brought to {newest()} under those who write to it: {', '.join(working)}. "
                "Stop them (a killed one counts until its lease expires, TIDEGAUGE_LEASE_S), and migrate again"
            ) from None
    finally:
        await connection.close()
