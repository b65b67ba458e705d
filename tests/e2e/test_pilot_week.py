"""The pilot week: every figure that its families decide comes out, over HTTP and by import."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from service.demo import pilot
from service.demo.client import Client
from service.domain.families.registry import FAMILIES
from tests.e2e.harness import Installation, send

TYPES = tuple(family.type for family in FAMILIES)
EXPECTED = pilot.expected()
WEEK = {"window": "week", "end": "2025-11-24T00:00:00Z"}
PERCENTILE = EXPECTED["tolerance"]["latency_percentiles_relative"]
MEAN = EXPECTED["tolerance"]["means_relative"]
RATIO = EXPECTED["tolerance"]["ratios"]
DAYS = [f"2025-11-{day}" for day in range(17, 24)]


@pytest.fixture(params=["http", "import"])
def week(request: pytest.FixtureRequest, installation: Installation) -> Iterator[Client]:
    """A client of a tenant that the whole week has been sent to, in one of the ways."""
    installation.run("migrate")
    installation.start_all()
    client = installation.tenant("pilot")
    with client:
        declared = installation.directory / "pilot.toml"
        declared.write_text(pilot.configuration())
        installation.run("apply", "--tenant", "pilot", str(declared))
        if request.param == "http":
            events = list(pilot.events(TYPES))
            assert send(client, events) == len(events)
        else:
            file = installation.directory / "week.ndjson"
            shuffled = [line for line in _lines()]
            random.Random(11).shuffle(shuffled)
            file.write_bytes(b"".join(shuffled))
            installation.run("import", "--tenant", "pilot", str(file))
            client.settle(timeout_s=60, poll_s=0.05)
        yield client


def _lines() -> Iterator[bytes]:
    import msgspec

    for event in pilot.events(TYPES):
        yield msgspec.json.encode(event) + b"\n"
