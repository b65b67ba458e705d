"""The stage of everything at once: the rate that the machine sustains, and how soon an event is visible meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import asyncpg

from loadtests.aggregate import fill
from loadtests.client import LoadClient, plan_of, sending
from loadtests.processes import cpu_s
from loadtests.results import Together, Visible
from loadtests.site import Database, Role, Site
from loadtests.traffic import FAMILIES, Population
from loadtests.visible import GIVE_UP_S, Prober

MODEST_EVENTS_PER_S = 1_000
MODEST_REQUEST_EVENTS = 50
REQUEST_EVENTS = 500
HOLD_EVENTS = 200_000
"""So much backlog makes the client pause, half of it lets it go on: two flushes of the default size."""
LOOK_S = 0.1
DRAIN_TIMEOUT_S = 120.0

BACKLOG = """
select (sum(l.events) - sum(p.events))::bigint as pending, sum(p.events)::bigint as consumed
from log_partition l join partition_progress p using (generation, partition)
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the stage found."""

    together: Together
    modest: Visible
    half: Visible


@dataclass(frozen=True, slots=True)
class _Stage:
    """What runs."""

    site: Site
    population: Population
    database: Database
    connection: asyncpg.Connection
    api: Role
    aggregator: Role
    evaluator: Role
    prober: Prober

    def cpu_s(self) -> dict[str, float]:
        """CPU-seconds of each part."""
        return {
            "api": cpu_s(self.api.pid),
            "aggregator": cpu_s(self.aggregator.pid),
            "evaluator": cpu_s(self.evaluator.pid),
            "postgres": self.site.postgres_cpu_s(),
        }

    @contextlib.asynccontextmanager
    async def background(
        self, seconds: float, *, events_per_s: float | None, events_a_request: int, linger_s: float = 0.0
    ) -> AsyncIterator[LoadClient]:
        """Load by all tenants but the prober's own (`events_per_s` None: as fast as it goes), `linger_s` longer than measured."""
        plan = plan_of(
            self.population,
            port=self.api.port,
            keys=self.database.write_keys[:-1],
            seconds=seconds,
            events_a_request=events_a_request,
            requests_per_s=None if events_per_s is None else events_per_s / events_a_request,
        )
        plan.seconds += linger_s
        async with sending(plan) as client:
            yield client


async def together(site: Site, population: Population, seconds: float) -> Measured:
    """Run all roles at a modest rate, at the highest one, and at half of that."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(site.database("together", population.tenants + 1))
        # So many that every user is among them: giving out ordinals is no part of a sustained rate.
        await fill(database, population, population.users * sum(FAMILIES.values()) // FAMILIES["usage"])
        names = ("api", "aggregate", "evaluate")
        starting = [stack.enter_async_context(site.role(name, database.url)) for name in names]
        api, aggregator, evaluator = await asyncio.gather(*starting)
        connection = await asyncpg.connect(database.url)
        stack.push_async_callback(connection.close)
        prober = Prober(api, write_key=database.write_keys[-1], read_key=database.read_key, seed=population.seed)
        stack.push_async_callback(prober.close)
        stage = _Stage(site, population, database, connection, api, aggregator, evaluator, prober)
        await _drained(connection)
        modest = await _visible(stage, seconds, MODEST_EVENTS_PER_S, MODEST_REQUEST_EVENTS)
        sustained = await _sustained(stage, seconds)
        await _drained(connection)
        half = await _visible(stage, seconds, sustained.events_per_s / 2, REQUEST_EVENTS)
    return Measured(sustained, modest, half)


async def _visible(stage: _Stage, seconds: float, events_per_s: float, events_a_request: int) -> Visible:
    # The load goes on for as long as the last probe may take, and ends with it.
    async with stage.background(
        seconds, events_per_s=events_per_s, events_a_request=events_a_request, linger_s=GIVE_UP_S
    ) as client:
        await client.begun()
        return await stage.prober.measure(seconds, background_events_per_s=events_per_s)


async def _sustained(stage: _Stage, seconds: float) -> Together:
    """The client sends as fast as it can, and pauses while the backlog is long."""
    loop = asyncio.get_running_loop()
    async with stage.background(seconds, events_per_s=None, events_a_request=REQUEST_EVENTS) as client:
        holding = asyncio.create_task(_hold(stage.connection, client))
        try:
            await client.begun()
            began_s, used = loop.time(), stage.cpu_s()
            _, first = await _backlog(stage.database)
            outcome = await client.outcome()
            _, last = await _backlog(stage.database)
            took_s = loop.time() - began_s
            used = {name: after - used[name] for name, after in stage.cpu_s().items()}
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)
    consumed = last - first
    return Together(
        events_per_s=consumed / took_s,
        seconds=took_s,
        api_us=used["api"] * 1e6 / outcome.events,
        client_us=outcome.cpu_s * 1e6 / outcome.events,
        aggregator_us=used["aggregator"] * 1e6 / consumed,
        evaluator_us=used["evaluator"] * 1e6 / consumed,
        postgres_us=used["postgres"] * 1e6 / consumed,
    )


async def _hold(connection: asyncpg.Connection, client: LoadClient) -> None:
    held = False
    while True:
        pending = (await connection.fetch(BACKLOG))[0]["pending"]
        if held != (held := pending > (HOLD_EVENTS / 2 if held else HOLD_EVENTS)):
            await client.say(b"pause" if held else b"go")
        await asyncio.sleep(LOOK_S)


async def _backlog(database: Database) -> tuple[int, int]:
    """Events that are pending, and those that have been consumed."""
    connection = await asyncpg.connect(database.url)
    try:
        [(pending, consumed)] = await connection.fetch(BACKLOG)
    finally:
        await connection.close()
    return pending, consumed


async def _drained(connection: asyncpg.Connection) -> None:
    async with asyncio.timeout(DRAIN_TIMEOUT_S):
        while (await connection.fetch(BACKLOG))[0]["pending"]:  # noqa: ASYNC110  # another process makes it shorter
            await asyncio.sleep(LOOK_S)
