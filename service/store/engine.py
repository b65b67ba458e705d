"""Connections to Postgres: SQLAlchemy's engine for reads, asyncpg's own pool for flushes and appends."""

from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit, urlunsplit

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

APPLICATION = "tidegauge"
Connection: TypeAlias = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
"""A raw connection: one of our own, or one that a pool lent."""

FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""What Postgres, the connection to it or the pool may raise: to the rest of the service, StoreUnavailable."""

STATEMENT_TIMEOUT_S = 60
SERVER_SETTINGS = {
    "timezone": "UTC",
    "application_name": APPLICATION,
    "idle_in_transaction_session_timeout": "60s",
    "transaction_timeout": "120s",
    "lock_timeout": "30s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


def sqlalchemy_url(url: str) -> str:
    """The same address with SQLAlchemy's driver name."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="postgresql+asyncpg"))


def describe(url: str) -> str:
    """The address without its password, for logs."""
    parts = urlsplit(url)
    host = parts.hostname or parse_qs(parts.query).get("host", [""])[0]
    return f"{host}:{parts.port or 5432}{parts.path}"


def create_engine(url: str, *, pool_size: int = 5) -> AsyncEngine:
    """An engine for set-based reads; built in the lifespan, disposed with it."""
    return create_async_engine(
        sqlalchemy_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        connect_args={"server_settings": SERVER_SETTINGS},
    )


async def create_pool(url: str, *, min_size: int = 1, max_size: int = 8) -> asyncpg.Pool:
    """A pool of raw asyncpg connections, for COPY and for appends.

    Whoever borrows one leaves no state in its session: settings, advisory locks and the rows of temporary
    tables belong to a transaction (one that is left open is rolled back).
    """
    return await asyncpg.create_pool(
        url,
        min_size=min_size,
        max_size=max_size,
        command_timeout=STATEMENT_TIMEOUT_S,
        server_settings=SERVER_SETTINGS,
        reset=_keep_session,
    )


async def _keep_session(connection: Connection) -> None:
    """Nothing, in place of asyncpg's reset: that is a round trip more, a third of the time of an append."""
