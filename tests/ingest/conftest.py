"""The door, opened for a test."""

from collections.abc import AsyncIterator

import pytest

from service.settings import Settings
from tests.ingest.door import Door, opened


@pytest.fixture
def settings() -> Settings:
    """The defaults; a module that needs others overrides this."""
    return Settings()


@pytest.fixture
async def door(database_url: str, settings: Settings) -> AsyncIterator[Door]:
    """Everything from the socket to the log, with the settings of the test."""
    async with opened(database_url, settings) as door:
        yield door
