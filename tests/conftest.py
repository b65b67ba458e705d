"""Real parts for every test: a Postgres and, where needed, a Kafka a process, a migrated database a test."""

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import asyncpg
import httpx
import pytest
import structlog
from hypothesis import HealthCheck, settings

from service.store.embedded import EmbeddedPostgres
from service.store.migrate import migrate
from tests.broker import Broker
from tests.places import place

# How long an example takes says nothing of what it shows: the first one compiles, and other work wants the cores, too.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

TEMPLATE = "template_tidegauge"
LONGEST = ("e2e", "grafana", "clients", "eventlog", "oracle", "operations")
"""Folders whose tests start processes, or run for long."""
LONGEST_END_TO_END = ("chaos", "chaos_pauses", "chaos_outages", "repartition", "pilot_week", "kafka_source", "kills", "scale_out")
"""Among the first of these folders, the modules that take the longest of all."""

UNTRACED = ("oracle",)
"""Folders whose tests say nothing of coverage: they send thousands of events through what others cover, and tracing costs as much
as half of the work itself."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `make soak` says: how long processes are killed for, and which random moments it is."""
    parser.addoption("--kills", type=int, default=20, help="kills of one run of tests/e2e/test_chaos.py; all of it once at least")
    parser.addoption("--seed", type=int, default=4, help="the random moments and events of tests/e2e/test_chaos*.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest modules come first: processes take them in this order, and none is to begin with one when others end."""
    items.sort(key=lambda item: (_place(LONGEST, item.path.parent.name), _place(LONGEST_END_TO_END, item.path.stem[5:])))
    for item in items:
        if item.path.parent.name in UNTRACED:
            item.add_marker(pytest.mark.no_cover)


def _place(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """What a test sets the logs to ends with it: its standard error is closed then."""
    handlers = list(logging.getLogger().handlers)
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers


@pytest.fixture(scope="session", autouse=True)
def _certificates_read_once() -> Iterator[None]:
    """Every client of httpx would read the authorities' certificates anew: 25 ms of CPU a client, where a request takes 0.3."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", functools.cache(httpx.create_ssl_context))
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A Postgres of the test process's own, without fsync."""
    with place() as directory:
        server = EmbeddedPostgres(
            directory / "data", fsync=False, extra={"max_connections": "300", "max_wal_size": "512MB", "shared_buffers": "128MB"}
        )
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


async def _clone(server: EmbeddedPostgres) -> str:
    name = f"test_{next(_counter)}"
    await _administer(server, f'create database "{name}" template "{TEMPLATE}" strategy file_copy')
    return name


async def _administer(server: EmbeddedPostgres, statement: str) -> None:
    admin = await asyncpg.connect(server.url_of("postgres"))
    try:
        await admin.execute(statement)
    finally:
        await admin.close()


@pytest.fixture
async def database_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The address of a migrated, empty database of the test's own."""
    name = await _clone(postgres)
    try:
        yield postgres.url_of(name)
    finally:
        await _administer(postgres, f'drop database "{name}" with (force)')


@pytest.fixture(scope="session")
def make_database(postgres: EmbeddedPostgres) -> Callable[[], str]:
    """Make a migrated, empty database for fixtures that several tests share; it goes with the run's Postgres."""
    return lambda: postgres.url_of(asyncio.run(_clone(postgres)))


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A raw connection to the test's database."""
    made = await asyncpg.connect(database_url, server_settings={"timezone": "UTC"})
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A Kafka broker of the test process's own, for some tests kill it; they tell their topics apart by prefixes."""
    broker = Broker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
