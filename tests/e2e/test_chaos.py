"""Killed at random moments, nothing that was acknowledged is lost and nothing counts twice; `make soak` goes on for longer."""

import asyncio
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.store.embedded import EmbeddedPostgres
from tests.broker import Broker
from tests.e2e.chaos import plan, storm


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


def test_whatever_is_killed_every_figure_is_that_of_the_acknowledged_events(
    own_postgres: EmbeddedPostgres, own_broker: Broker, tmp_path: Path, seed: int, kills: int
) -> None:
    chance = random.Random(seed)
    roles = ["api-1", "api-2", "evaluate", *(f"aggregate-{number}" for number in range(chance.randint(2, 4)))]
    with storm(own_postgres, own_broker, tmp_path, seed, roles) as made:
        made.strike(plan(chance, kills, made.targets.names))
        made.end()
        print("", *made.journal, f"seed {seed}: {kills} kills, {made.told()}", sep="\n")  # noqa: T201  # for `make soak`
