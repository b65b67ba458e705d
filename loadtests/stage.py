"""Everything at once: all roles on one database, load through one of the doors, and what lags behind it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Literal

import asyncpg

from loadtests.backlog import fill
from loadtests.client import LoadClient, plan_of, sending
from loadtests.marks import consumed
from loadtests.plan import Http, Topic
from loadtests.role import Role, running
from loadtests.site import Database, Site
from loadtests.source_topic import bound_topic
from loadtests.traffic import FAMILIES, MANY_TENANTS, Population

Door = Literal["http", "source"]

REQUEST_EVENTS = 500
SMALL_REQUEST_EVENTS = 50
"""Of tenants that are many and small."""
POLL_S = 0.1
DRAIN_TIMEOUT_S = 180.0


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs."""

    site: Site
    population: Population
    database: Database
    connection: asyncpg.Connection
    to: Http | Topic
    probed: Http | Topic
    """Where single events of a tenant beside the population go."""
    roles: tuple[Role, ...]
    """The API is the first one."""
    events_a_request: int

    @contextlib.asynccontextmanager
    async def load(self, seconds: float, *, events_per_s: float | None, linger_s: float = 0.0) -> AsyncIterator[LoadClient]:
        """Load by all tenants of the population (`events_per_s` None: as fast as it goes), `linger_s` longer than measured.

        Raises ValueError for a rate of nothing.
        """
        if events_per_s is not None and events_per_s <= 0:
            raise ValueError(f"events_per_s is {events_per_s}: load takes a rate above 0, or None for as fast as it goes")
        plan = plan_of(
            self.population,
            to=self.to,
            seconds=seconds,
            events_a_request=self.events_a_request,
            requests_per_s=None if events_per_s is None else events_per_s / self.events_a_request,
        )
        plan.seconds += linger_s
        async with sending(plan) as client:
            yield client

    async def drained(self, *, at_least: int = 0) -> int:
        """Wait until nothing moves any more and at least so many came; returns events in the rollups. Raises TimeoutError."""
        async with asyncio.timeout(DRAIN_TIMEOUT_S):
            before, now, quiet = -1, await consumed(self.connection), 0
            while now < at_least or quiet < 10:  # noqa: PLR2004  # a second without a flush
                await asyncio.sleep(POLL_S)
                before, now = now, await consumed(self.connection)
                quiet = quiet + 1 if now == before else 0
        return now


@contextlib.asynccontextmanager
async def everything(site: Site, population: Population, door: Door) -> AsyncIterator[Stage]:
    """All roles on a database in which every user has an ordinal: giving these out is no part of a sustained rate.

    Raises RuntimeError when other events than those are in the rollups then.
    """
    tenants = population.tenants
    events_a_request = SMALL_REQUEST_EVENTS if tenants >= MANY_TENANTS else REQUEST_EVENTS
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(site.database(f"{door}-{tenants}", tenants + 1))
        every_user = population.users * sum(FAMILIES.values()) // FAMILIES["usage"]
        filled, _ = await fill(database, population, every_user, events_a_request=min(500, max(1, every_user // tenants)))
        names = ["api", "aggregate", "evaluate"]
        topics: list[Topic] = []
        if door == "source":
            if tenants > 1:
                raise ValueError(f"a topic belongs to one tenant: {tenants} tenants send over HTTP")
            topics = [await bound_topic(site, database, tenant=number) for number in range(2)]
            names.append("source")
        starting = [stack.enter_async_context(running(site, name, database)) for name in names]
        api, *others = await asyncio.gather(*starting)
        connection = await asyncpg.connect(database.url)
        stack.push_async_callback(connection.close)
        over_http = [Http(port=api.port, keys=list(keys)) for keys in (database.write_keys[:-1], database.write_keys[-1:])]
        to, probed = topics or over_http
        stage = Stage(site, population, database, connection, to, probed, (api, *others), events_a_request)
        if (there := await stage.drained(at_least=filled)) != filled:
            raise RuntimeError(f"{filled} events were filled in, and {there} came out of the log: it is not this stage's own")
        yield stage
