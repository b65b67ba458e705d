"""How a command reaches the installation's database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from service import settings as environment
from service.errors import StoreUnavailable
from service.store.embedded import EmbeddedPostgres
from service.store.engine import SERVER_SETTINGS, describe


def database_url(settings: environment.Settings) -> str:
    """The configured database, else the embedded one of the data directory (which must be running)."""
    if settings.database_url is not None:
        return settings.database_url
    embedded = EmbeddedPostgres(settings.data)
    if not embedded.running():
        raise StoreUnavailable(
            f"no Postgres runs in {settings.data}: start it with `tidegauge up`, or set TIDEGAUGE_DATABASE_URL"
        )
    return embedded.url


@asynccontextmanager
async def database(settings: environment.Settings | None = None) -> AsyncIterator[asyncpg.Connection]:
    """A connection for one command; raises StoreUnavailable with what was tried."""
    url = database_url(settings or environment.load())
    try:
        connection = await asyncpg.connect(url, timeout=10, server_settings=SERVER_SETTINGS)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise StoreUnavailable(f"{describe(url)} does not answer: {error}") from error
    try:
        yield connection
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
        raise StoreUnavailable(f"{describe(url)} has not this version's schema: run `tidegauge migrate` ({error})") from error
    finally:
        await connection.close()
