"""One running service for the examples; each test is a tenant of its own, behind weather of its own."""

import asyncio
import os
from collections.abc import Callable, Iterator
from itertools import count

import asyncpg
import pytest

from service.clock import SystemClock
from service.demo.client import Client
from service.store.config import apply_config
from service.store.keys import create_key
from service.store.tenants import create_tenant
from tests.clients.running import Site
from tests.e2e.harness import Installation

_numbers = count()


@pytest.fixture(scope="module")
def service(make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An API and an aggregator."""
    with Installation(make_database(), tmp_path_factory.mktemp("clients")) as installation:
        installation.start("api")
        installation.start("aggregate")
        installation.wait_until_ready()
        yield installation


@pytest.fixture
def site(service: Installation) -> Iterator[Site]:
    """A tenant of the test's own, with a key for writing and a client that reads."""
    name = f"shop-{next(_numbers)}"
    write, read = asyncio.run(keys(service.environment["TIDEGAUGE_DATABASE_URL"], name))
    with Client(service.address, write_key=write, read_key=read) as reader:
        yield Site(service, name, write, reader)


async def keys(database_url: str, tenant: str, declared: str = "") -> tuple[str, str]:
    """Make a tenant that declares this, with a key for writing and one for reading."""
    connection = await asyncpg.connect(database_url)
    try:
        made = await create_tenant(connection, tenant, "UTC")
        if declared:
            await apply_config(connection, tenant, declared, now_us=SystemClock().now_us(), known_kpis={})
        return (await create_key(connection, made, ["ingest"]))[1], (await create_key(connection, made, ["read"]))[1]
    finally:
        await connection.close()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples take what the environment says of proxies, and there is none on the way to this machine itself."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
