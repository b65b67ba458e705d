"""Installations for tests that go the whole way."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.store.embedded import EmbeddedPostgres
from tests.broker import Broker
from tests.e2e.harness import Installation


@pytest.fixture
def installation(database_url: str, tmp_path: Path) -> Iterator[Installation]:
    """An installation with nothing running yet."""
    with Installation(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def own_postgres() -> Iterator[EmbeddedPostgres]:
    """A Postgres that may be killed: it writes to the disk before it acknowledges, as it does for users."""
    with tempfile.TemporaryDirectory(prefix="tidegauge-chaos-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        server = EmbeddedPostgres(Path(directory) / "data", extra={"max_connections": "200"})
        asyncio.run(server.start())
        try:
            yield server
        finally:
            asyncio.run(server.stop())


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that may be killed without others being in need of it."""
    broker = Broker(tmp_path_factory.mktemp("broker"))
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """What all that is random is drawn from."""
    given: int = request.config.getoption("--seed")
    return given


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How often something is killed."""
    given: int = request.config.getoption("--kills")
    return given
