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
