"""Bringing a database to this version's schema."""

from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from service.clock import Clock, SystemClock
from service.settings import Settings, load
from service.store.engine import SERVER_SETTINGS, sqlalchemy_url
from service.store.partitions import ensure_partitions

MIGRATION_LOCK = 7_419_001


def _scripts() -> Path:
    package = Path(__file__).resolve().parents[1]
    installed = package / "_migrations"
    # First what a wheel brought: beside an installed package may lie anybody's `migrations`.
    return installed if installed.is_dir() else package.parent / "migrations"


def config() -> Config:
    """Alembic's configuration, without an ini file."""
    made = Config()
    made.set_main_option("script_location", str(_scripts()))
    return made


def _upgrade(connection: Connection) -> None:
    made = config()
    made.attributes["connection"] = connection
    command.upgrade(made, "head")


async def migrate(url: str, settings: Settings | None = None, *, clock: Clock | None = None) -> None:
    """Bring the database to the newest schema; several processes may call it at once.

    Then makes the partitions of the time-keyed tables for the whole span that is kept, by the retention
    of `settings` (those of the environment where none are given).
    """
    engine = create_async_engine(sqlalchemy_url(url))
    try:
        async with engine.connect() as guard:
            # In no transaction while it waits: Postgres ends those that idle in one, and a migration may take longer.
            await guard.execution_options(isolation_level="AUTOCOMMIT")
            await guard.execute(text("select pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            async with engine.connect() as connection:
                await connection.run_sync(_upgrade)
                await connection.commit()
            await guard.execute(text("select pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
    finally:
        await engine.dispose()
    maker = await asyncpg.connect(url, server_settings=SERVER_SETTINGS)
    try:
        await ensure_partitions(maker, now_us=(clock or SystemClock()).now_us(), settings=settings or load())
    finally:
        await maker.close()
