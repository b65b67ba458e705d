"""Alembic's environment: migrates the database of TIDEGAUGE_DATABASE_URL, or the connection it is handed."""

import asyncio
import os
from typing import Any

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from service.store.engine import sqlalchemy_url
from service.store.tables import metadata

LOCK_TIMEOUT = "10s"
ROOM = """
select set_config('temp_file_limit', '-1', false) from pg_roles where rolname = current_user and rolsuper
"""
"""What is made anew of large tables is sorted in more room than questions have; only a superuser may give it."""


def include_name(name: str | None, kind: str, parents: Any) -> bool:  # noqa: ARG001
    """Leave partitions out: they are made by maintenance, not by migrations."""
    return not (kind == "table" and name is not None and "_p2" in name)


def run(connection: Connection) -> None:
    """Migrate over one connection, waiting for locks no longer than LOCK_TIMEOUT."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_name=include_name,
        compare_type=True,
        compare_server_default=False,
        transaction_per_migration=True,
    )
    connection.exec_driver_sql(f"set lock_timeout = '{LOCK_TIMEOUT}'")
    connection.exec_driver_sql(ROOM)
    connection.commit()
    with context.begin_transaction():
        context.run_migrations()


async def run_over_url(url: str) -> None:
    """Connect, migrate, let go."""
    engine = create_async_engine(sqlalchemy_url(url))
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


handed = context.config.attributes.get("connection")
if handed is not None:
    run(handed)
else:
    asyncio.run(run_over_url(os.environ["TIDEGAUGE_DATABASE_URL"]))
