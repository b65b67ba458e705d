"""Connections to Postgres: pools of asyncpg, and what their sessions are set to."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias, TypedDict
from urllib.parse import parse_qs, urlsplit, urlunsplit

import asyncpg

APPLICATION = "tidegauge"
Connection: TypeAlias = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
"""A raw connection: one of our own, or one that a pool lent."""

FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""What Postgres, the connection to it or the pool may raise: to the rest of the service, StoreUnavailable."""

PASSING = (
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.OperatorInterventionError,
)
"""What Postgres says when the same statement may well succeed later: deadlocks, a full disk, locks, a shut-down."""

STATEMENT_TIMEOUT_S = 60
QUERIES = MappingProxyType({"plan_cache_mode": "force_generic_plan"})
"""For sessions that run the catalog's statements: their plans do not depend on the parameters, and planning anew costs
more than running them (measured: 1.3 ms against 0.5 ms a statement)."""


class Prepared(TypedDict, total=False):
    """Which statements asyncpg keeps prepared in a connection; what is left out is asyncpg's own."""

    statement_cache_size: int
    max_cacheable_statement_size: int
    max_cached_statement_lifetime: int


WHOLE_CATALOG: Final[Prepared] = {
    "statement_cache_size": 256,
    "max_cacheable_statement_size": 64 * 1024,
    "max_cached_statement_lifetime": 0,
}
"""For connections on which the whole catalog is evaluated again and again: all of its live statements stay
(some 200, of up to 30 KB), so that none is planned anew but where Postgres has new statistics. A plan takes half a megabyte of
its backend, some 140 MB at the most in place of 54, on each of a round's connections; a round that finds nothing takes 0.44 s
of CPU in place of 1.06."""
ANSWERS: Final[Prepared] = {"max_cacheable_statement_size": 64 * 1024}
"""For connections that answer questions: statements of seconds and of scores are longer than what asyncpg keeps by itself, and
to plan one anew takes half of what it takes to run."""
SERVER_SETTINGS = {
    "timezone": "UTC",
    "application_name": APPLICATION,
    "idle_in_transaction_session_timeout": "60s",
    "transaction_timeout": "120s",
    "lock_timeout": "30s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    # A tenant that has most of a table's rows must not let the others be read by scanning it: pages are not on a turning disk.
    "random_page_cost": "1.1",
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


async def create_pool(
    url: str,
    *,
    min_size: int = 1,
    max_size: int = 8,
    session: Mapping[str, str] = MappingProxyType({}),
    prepared: Prepared | None = None,
) -> asyncpg.Pool:
    """A pool of asyncpg connections; `session` are settings of Postgres beside ours.

    Whoever borrows one leaves no state in its session: settings, advisory locks and the rows of temporary
    tables belong to a transaction (one that is left open is rolled back).
    """
    return await asyncpg.create_pool(
        url,
        min_size=min_size,
        max_size=max_size,
        command_timeout=STATEMENT_TIMEOUT_S,
        server_settings={**SERVER_SETTINGS, **session},
        **(prepared or Prepared()),
        reset=_keep_session,
    )


async def _keep_session(connection: Connection) -> None:
    """Nothing, in place of asyncpg's reset: that is a round trip more, a third of the time of an append."""
