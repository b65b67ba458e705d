"""One installation a season for all streams of a module: each stream is a tenant of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import date

import pytest

from tests.broker import Broker
from tests.oracle.running import SEASONS_US, Running, move_partitions, opened


@pytest.fixture(scope="module")
def addresses(make_database: Callable[[], str]) -> dict[date, str]:
    """Databases by season."""
    made = {season: make_database() for season in SEASONS_US}
    for season, url in made.items():
        asyncio.run(move_partitions(url, SEASONS_US[season]))
    return made


@pytest.fixture
async def running(addresses: dict[date, str]) -> AsyncIterator[dict[date, Running]]:
    """Running installations by season."""
    async with AsyncExitStack() as stack:
        yield {season: await stack.enter_async_context(opened(url, SEASONS_US[season])) for season, url in addresses.items()}


@pytest.fixture
async def running_on_kafka(make_database: Callable[[], str], kafka: Broker) -> AsyncIterator[dict[date, Running]]:
    """The same, their logs in Kafka."""
    async with AsyncExitStack() as stack:
        made = {}
        for season, now_us in SEASONS_US.items():
            url = await asyncio.to_thread(make_database)
            await move_partitions(url, now_us)
            made[season] = await stack.enter_async_context(opened(url, now_us, kafka))
        yield made
