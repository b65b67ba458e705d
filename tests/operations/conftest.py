"""An installation that runs, for tests of its operation."""

from collections.abc import AsyncIterator

import pytest

from service.settings import Settings
from tests.operations.running import Running, running


@pytest.fixture
async def site(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    """Door, aggregator and reading API on a database of the test's own, that commands reach too."""
    monkeypatch.setenv("TIDEGAUGE_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "250")
    async with running(database_url, Settings(flush_interval_s=0.01)) as made:
        yield made
