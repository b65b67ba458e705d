"""A place to measure at: a Postgres of its own with fsync, a Kafka broker where it is asked for, and databases to work on."""

import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from loadtests.broker import MeasuredBroker
from loadtests.processes import cpu_s, tree_cpu_s
from service.clock import SystemClock
from service.eventlog.opening import KAFKA, log_kind, open_log
from service.eventlog.port import EventLog
from service.settings import Settings
from service.store.embedded import EmbeddedPostgres
from service.store.engine import create_pool
from service.store.installation import Installation, ensure_installation
from service.store.keys import create_key
from service.store.migrate import migrate
from service.store.tenants import create_tenant

TEMPLATE = "bench_template"


@dataclass(frozen=True, slots=True)
class Database:
    """A database of one stage, with tenants."""

    name: str
    url: str
    settings: Mapping[str, str]
    """What roles need beside the address, by lower-case name: where the log lies."""
    installation: Installation
    tenants: tuple[int, ...]
    write_keys: tuple[str, ...]
    """By tenant."""
    read_key: str
    """Of the last tenant."""

    @contextlib.asynccontextmanager
    async def opened_log(self) -> AsyncIterator[EventLog]:
        """The event log, as a role opens it."""
        settings = settings_of(self.settings)
        async with await create_pool(self.url, max_size=4) as pool:
            log = await open_log(
                settings,
                pool,
                generation=self.installation.generation,
                partitions=self.installation.partitions,
                clock=SystemClock(),
                kind=self.installation.log_kind,
            )
            try:
                yield log
            finally:
                await log.close()


class Site:
    """What stages need; made by `open_site`."""

    def __init__(self, server: EmbeddedPostgres, broker: MeasuredBroker | None, directory: Path, *, log: str) -> None:
        self._server = server
        self.broker = broker
        self.directory = directory
        self.log = log
        """`kafka` or `postgres`: where databases made from now on have their event log."""
        self._made = 0

    def servers_cpu_s(self) -> dict[str, float]:
        """CPU-seconds of Postgres with all its processes, and of Kafka."""
        used = {"postgres": tree_cpu_s(self._server.pid or 0)}
        return used if self.broker is None else used | {"kafka": cpu_s(self.broker.pid)}

    async def postgres_version(self) -> str:
        """As the server says it."""
        async with self.administrator() as admin:
            return str(await admin.fetchval("show server_version"))

    @contextlib.asynccontextmanager
    async def database(self, name: str, tenants: int) -> AsyncIterator[Database]:
        """A new database with so many tenants, gone at the end; topics stay, so no other one of this site has its name."""
        self._made += 1
        name = f"{name}-{self._made}"
        async with self.administrator() as admin:
            await admin.execute(f'create database "{name}" template "{TEMPLATE}"')
        try:
            yield await self._furnish(name, tenants)
        finally:
            async with self.administrator() as admin:
                await admin.execute(f'drop database "{name}" with (force)')

    @contextlib.asynccontextmanager
    async def administrator(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection beside all stages' databases."""
        connection = await asyncpg.connect(self._server.url_of("postgres"))
        try:
            yield connection
        finally:
            await connection.close()

    async def _furnish(self, name: str, tenants: int) -> Database:
        url, kept = self._server.url_of(name), self._log_settings(name)
        settings = settings_of(kept)
        connection = await asyncpg.connect(url)
        try:
            installation = await ensure_installation(connection, settings, log_kind=log_kind(settings))
            made = [await create_tenant(connection, f"tenant-{number:04d}", "Europe/Berlin") for number in range(tenants)]
            keys = [(await create_key(connection, tenant, ["ingest"]))[1] for tenant in made]
            _, read_key = await create_key(connection, made[-1], ["read", "metrics"])
        finally:
            await connection.close()
        return Database(name, url, kept, installation, tuple(tenant.id for tenant in made), tuple(keys), read_key)

    def _log_settings(self, name: str) -> dict[str, str]:
        if self.broker is None:
            return {}
        if self.log != KAFKA:
            return {"kafka_source_bootstrap": self.broker.bootstrap}
        return {"kafka_bootstrap": self.broker.bootstrap, "kafka_topic_prefix": f"bench-{name}", "allow_single_broker": "true"}


@contextlib.asynccontextmanager
async def open_site(*, log: str, broker: bool) -> AsyncIterator[Site]:
    """A Postgres with the product's own settings, and Kafka if it is needed, in a temporary directory; all gone at the end.

    Raises RuntimeError, saying what to install, where there is no Kafka to start.
    """
    with tempfile.TemporaryDirectory(prefix="tidegauge-bench-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        os.chmod(directory, 0o755)  # noqa: S103  # Postgres runs as another user when we are root
        server = EmbeddedPostgres(directory / "data")
        await server.start()
        try:
            with _kafka(directory / "kafka", wanted=broker or log == KAFKA) as running:
                site = Site(server, running, directory, log=log)
                async with site.administrator() as admin:
                    await admin.execute(f'create database "{TEMPLATE}"')
                await migrate(server.url_of(TEMPLATE), Settings())
                yield site
        finally:
            await server.stop()


@contextlib.contextmanager
def _kafka(directory: Path, *, wanted: bool) -> Iterator[MeasuredBroker | None]:
    if not wanted:
        yield None
        return
    directory.mkdir()
    broker = MeasuredBroker(directory)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def settings_of(given: Mapping[str, str]) -> Settings:
    """The settings that a role with these in its environment has; ours is left out."""
    return Settings.model_validate(dict(given))
