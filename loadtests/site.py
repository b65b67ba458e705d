"""A place to measure at: a Postgres of its own with fsync, a database a stage, and the real roles as processes."""

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx

from loadtests.processes import tree_cpu_s
from service.settings import Settings
from service.store.embedded import EmbeddedPostgres
from service.store.installation import Installation, ensure_installation
from service.store.keys import create_key
from service.store.migrate import migrate
from service.store.tenants import create_tenant
from service.supervisor import free_port

TEMPLATE = "bench_template"
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Role:
    """A running role."""

    name: str
    pid: int
    port: int
    log: Path

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Database:
    """A database of one stage, with tenants."""

    url: str
    installation: Installation
    tenants: tuple[int, ...]
    write_keys: tuple[str, ...]
    """By tenant."""
    read_key: str
    """Of the last tenant."""


class Site:
    """What stages need; made by `open_site`."""

    def __init__(self, server: EmbeddedPostgres, directory: Path) -> None:
        self._server = server
        self._directory = directory

    @property
    def address(self) -> str:
        """The address of the database that stages' databases are copies of."""
        return self._server.url_of("postgres")

    def postgres_cpu_s(self) -> float:
        """CPU-seconds of all of Postgres."""
        return tree_cpu_s(self._server.pid or 0)

    @contextlib.asynccontextmanager
    async def database(self, name: str, tenants: int) -> AsyncIterator[Database]:
        """A new database with so many tenants, gone at the end."""
        await self._administer(f'create database "{name}" template "{TEMPLATE}"')
        try:
            yield await self._furnish(self._server.url_of(name), tenants)
        finally:
            await self._administer(f'drop database "{name}" with (force)')

    @contextlib.asynccontextmanager
    async def role(self, name: str, url: str, settings: Mapping[str, str] | None = None) -> AsyncIterator[Role]:
        """A role as `tidegauge up` would start it, ready; stopped at the end.

        Raises RuntimeError with its log's end when it does not start.
        """
        port, log = free_port(), self._directory / f"{name}.log"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TIDEGAUGE_")}
        environment |= {
            "TIDEGAUGE_DATABASE_URL": url,
            "TIDEGAUGE_DATA": str(self._directory),
            "TIDEGAUGE_PORT" if name == "api" else "TIDEGAUGE_OPS_PORT": str(port),
            "TIDEGAUGE_PARENT_PID": str(os.getpid()),
            "TIDEGAUGE_LOG_LEVEL": "warning",
            "POLARS_MAX_THREADS": "1",
            **{f"TIDEGAUGE_{key.upper()}": value for key, value in (settings or {}).items()},
        }
        with log.open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "service.cli", name, env=environment, stdout=sink, stderr=sink, start_new_session=True
            )
        role = Role(name, process.pid, port, log)
        try:
            await _ready(role, process)
            yield role
        finally:
            if process.returncode is None:
                process.terminate()
                try:
                    async with asyncio.timeout(STOP_TIMEOUT_S):
                        await process.wait()
                except TimeoutError:
                    process.kill()
                    await process.wait()

    async def _furnish(self, url: str, tenants: int) -> Database:
        connection = await asyncpg.connect(url)
        try:
            installation = await ensure_installation(connection, Settings(), log_kind="postgres")
            made = [await create_tenant(connection, f"tenant-{number:02d}", "Europe/Berlin") for number in range(tenants)]
            keys = [(await create_key(connection, tenant, ["ingest"]))[1] for tenant in made]
            _, read_key = await create_key(connection, made[-1], ["read"])
        finally:
            await connection.close()
        return Database(url, installation, tuple(tenant.id for tenant in made), tuple(keys), read_key)

    async def _administer(self, statement: str) -> None:
        admin = await asyncpg.connect(self._server.url_of("postgres"))
        try:
            await admin.execute(statement)
        finally:
            await admin.close()


@contextlib.asynccontextmanager
async def open_site() -> AsyncIterator[Site]:
    """A Postgres with the product's own settings in a temporary directory; both are gone at the end."""
    with tempfile.TemporaryDirectory(prefix="tidegauge-bench-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        os.chmod(directory, 0o755)  # noqa: S103  # Postgres runs as another user when we are root
        server = EmbeddedPostgres(directory / "data")
        await server.start()
        try:
            site = Site(server, directory)
            await site._administer(f'create database "{TEMPLATE}"')  # noqa: SLF001  # its maker
            await migrate(server.url_of(TEMPLATE), Settings())
            yield site
        finally:
            await server.stop()


async def _ready(role: Role, process: asyncio.subprocess.Process) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + READY_TIMEOUT_S
    async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
        while loop.time() < deadline and process.returncode is None:
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(f"{role.address}/readyz")).is_success:
                    return
            await asyncio.sleep(0.05)
    raise RuntimeError(f"the role {role.name} did not become ready: {role.log.read_text()[-2_000:]}")
