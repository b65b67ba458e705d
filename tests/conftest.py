"""Real parts for every test: one Postgres a run, one migrated database a test."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from service.store.embedded import EmbeddedPostgres
from service.store.migrate import migrate

TEMPLATE = "template_tidegauge"


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A Postgres of the run's own, without fsync."""
    with tempfile.TemporaryDirectory(prefix="tidegauge-test-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        server = EmbeddedPostgres(Path(directory) / "data", fsync=False, extra={"max_connections": "300"})
        asyncio.run(server.start())
        try:
            asyncio.run(_make_template(server))
            yield server
        finally:
            asyncio.run(server.stop())


async def _make_template(server: EmbeddedPostgres) -> None:
    admin = await asyncpg.connect(server.url_of("postgres"))
    await admin.execute(f'create database "{TEMPLATE}"')
    await admin.close()
    await migrate(server.url_of(TEMPLATE))


_counter = iter(range(1_000_000))


@pytest.fixture
async def database_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The address of a migrated, empty database of the test's own."""
    name = f"test_{next(_counter)}"
    admin = await asyncpg.connect(postgres.url_of("postgres"))
    await admin.execute(f'create database "{name}" template "{TEMPLATE}" strategy file_copy')
    try:
        yield postgres.url_of(name)
    finally:
        await admin.execute(f'drop database "{name}" with (force)')
        await admin.close()


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A raw connection to the test's database."""
    made = await asyncpg.connect(database_url, server_settings={"timezone": "UTC"})
    try:
        yield made
    finally:
        await made.close()
