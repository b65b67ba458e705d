"""Bringing a database to this version's schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from service.store.engine import sqlalchemy_url

MIGRATION_LOCK = 7_419_001


def _scripts() -> Path:
    package = Path(__file__).resolve().parents[1]
    beside = package.parent / "migrations"
    return beside if beside.is_dir() else package / "_migrations"


def config() -> Config:
    """Alembic's configuration, without an ini file."""
    made = Config()
    made.set_main_option("script_location", str(_scripts()))
    return made


def _upgrade(connection: Connection) -> None:
    made = config()
    made.attributes["connection"] = connection
    command.upgrade(made, "head")


async def migrate(url: str) -> None:
    """Bring the database to the newest schema; several processes may call it at once.

    Then makes the partitions of the time-keyed tables for the whole span that is kept.
    """
    engine = create_async_engine(sqlalchemy_url(url))
    try:
        async with engine.connect() as guard:
            await guard.execute(text("select pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            async with engine.connect() as connection:
                await connection.run_sync(_upgrade)
                await connection.commit()
            await guard.execute(text("select pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
            await guard.commit()
    finally:
        await engine.dispose()
