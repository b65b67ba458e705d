"""The stage of the whole way: JSON events one a record in a team's topic, through source and log, to KPIs in Postgres."""

import asyncio
import sys
from contextlib import AsyncExitStack

import asyncpg
import msgspec

from loadtests.aggregate import OUTCOMES
from loadtests.client import plan_of, sending
from loadtests.marks import Marks, consumed, mark
from loadtests.plain_loop import DECODERS, Counted
from loadtests.plan import Outcome, Topic
from loadtests.results import Plain, Whole
from loadtests.role import Role, running
from loadtests.site import Database, Site
from loadtests.source_topic import bound_topic
from loadtests.traffic import FAMILIES, Population

POLL_S = 0.05
STUCK_S = 120.0
FILL_TIMEOUT_S = 600.0
OURS = ("source", "aggregate", "evaluate")


async def whole(site: Site, population: Population, events: int) -> Whole:
    """Work off a topic that holds so many events, when every user has been there before; then plain loops do.

    Raises RuntimeError when the ledger does not hold exactly what was sent.
    """
    alone = Population(1, population.users, population.accounts, population.features, population.seed)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(site.database("whole", 1))
        topic = await bound_topic(site, database, tenant=0)
        connection = await asyncpg.connect(database.url)
        stack.push_async_callback(connection.close)
        every_user = await _fill(alone, topic, alone.users * sum(FAMILIES.values()) // FAMILIES["usage"])
        starting = [stack.enter_async_context(running(site, name, database)) for name in ("aggregate", "evaluate")]
        roles = await asyncio.gather(*starting)
        async with running(site, "source", database) as source:
            warm = await _until(site, connection, [source, *roles], every_user.acknowledged)
        sent = await _fill(alone, topic, events)
        began = await mark(site, connection, roles)
        async with running(site, "source", database) as source:
            # What it took to start is no part of the way; the few events that it reads meanwhile are part of both marks.
            started_s = source.cpu_s()
            done = await _until(site, connection, [source, *roles], warm.events + sent.acknowledged)
        stored, duplicate, dead = (await connection.fetch(OUTCOMES))[0]
        all_events = every_user.acknowledged + sent.acknowledged
        if (stored, duplicate, dead) != (all_events, 0, 0):
            raise RuntimeError(f"{all_events} events were sent; {stored} are stored, {duplicate} duplicate, {dead} dead")
        plain = [await _plain(database, topic, decoder) for decoder in DECODERS]
    return _result(
        sent, Marks(began.at_s, began.events, began.cpu_s | {"source": started_s}, began.wal), done, warm.events, plain
    )


def _result(sent: Outcome, began: Marks, done: Marks, warm_up_events: int, plain: list[Plain]) -> Whole:
    events, seconds = sent.acknowledged, done.at_s - began.at_s
    used_us = done.us_since(began, events)
    return Whole(
        events=events,
        event_bytes=sent.body_bytes / sent.acknowledged,
        warm_up_events=warm_up_events,
        seconds=seconds,
        events_per_s=events / seconds,
        events_per_cpu_s=1e6 / sum(used_us[name] for name in OURS),
        cpu_us=used_us,
        wal_bytes=(done.wal - began.wal) / events,
        plain=plain,
    )


async def _fill(population: Population, topic: Topic, events: int) -> Outcome:
    plan = plan_of(population, to=topic, seconds=FILL_TIMEOUT_S, most_events=events)
    plan.warm_up_s = 0.0
    async with sending(plan) as client:
        return await client.outcome()


async def _until(site: Site, connection: asyncpg.Connection, roles: list[Role], events: int) -> Marks:
    """The marks when so many events are in the rollups; raises RuntimeError when nothing moves."""
    loop = asyncio.get_running_loop()
    last, moved_s = -1, loop.time()
    while (now := await consumed(connection)) < events:
        if now != last:
            last, moved_s = now, loop.time()
        elif loop.time() - moved_s > STUCK_S:
            said = "\n".join(role.said() for role in roles)
            raise RuntimeError(f"{now} of {events} events have come for {STUCK_S:g} s: {said}")
        await asyncio.sleep(POLL_S)
    return await mark(site, connection, roles)


async def _plain(database: Database, topic: Topic, decoder: str) -> Plain:
    words = [topic.bootstrap, topic.name, str(topic.partitions), database.url, decoder]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests.plain_loop", *words, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(FILL_TIMEOUT_S):
        output, _ = await process.communicate()
    counted = msgspec.json.decode(output, type=Counted)
    return Plain(decoder=decoder, events=counted.events, events_per_cpu_s=counted.events / counted.cpu_s)
