"""Installations for tests that go the whole way."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import Installation


@pytest.fixture
def installation(database_url: str, tmp_path: Path) -> Iterator[Installation]:
    """An installation with nothing running yet."""
    with Installation(database_url, tmp_path) as made:
        yield made


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
