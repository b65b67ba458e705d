"""Killed at random moments, nothing that was acknowledged is lost and nothing counts twice; `make soak` goes on for longer."""

import random
from pathlib import Path

from service.store.embedded import EmbeddedPostgres
from tests.broker import Broker
from tests.e2e.chaos import Storm, plan, storm


def test_whatever_is_killed_every_figure_is_that_of_the_acknowledged_events(
    own_postgres: EmbeddedPostgres, own_broker: Broker, tmp_path: Path, seed: int, kills: int
) -> None:
    chance = random.Random(seed)
    roles = ["api-1", "api-2", "evaluate", "source", *(f"aggregate-{number}" for number in range(chance.randint(2, 4)))]
    with storm(own_postgres, own_broker, tmp_path, seed, roles) as made:
        made.strike(plan(chance, kills, made.targets.names))
        made.end()
        it_was_felt(made)


def test_with_the_log_in_postgres_the_same_holds(own_postgres: EmbeddedPostgres, tmp_path: Path, seed: int, kills: int) -> None:
    with storm(own_postgres, None, tmp_path, seed, ["api-1", "api-2", "evaluate", "aggregate-1", "aggregate-2"]) as made:
        made.strike(plan(random.Random(seed), kills // 3, made.targets.names))
        made.end()
        it_was_felt(made)


def it_was_felt(made: Storm) -> None:
    """Blows that interrupt nothing show nothing."""
    assert made.interrupted > 0
    assert made.repeated > 0
