"""Questions of one snapshot asked at once: each gets what it would get alone, however few statements and connections answer."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Final

import asyncpg
import pytest

from service.catalog import Catalog, Kept, Kpi, Question, Value, Window, declared_of, run, window_before
from service.catalog.declared import Declared
from service.catalog.together import Desk
from service.demo import pilot
from service.domain.config import parse
from service.errors import InvalidQuery
from service.lifecycle import side_by_side
from service.store.engine import create_pool
from service.store.snapshots import SIDE_BY_SIDE, snapshot
from tests.catalog.rollups import make_tenant
from tests.catalog.test_adding import store_streams, windows

CATALOG: Final = Catalog.load()
SEVERAL: Final[tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]] = (
    ("requests", ("",), ()),
    ("requests", ("per_minute",), ()),
    ("requests", (), ()),
    ("request_latency", ("p95",), ()),
    ("request_latency", ("mean",), ()),
    ("request_latency", ("mean",), ("service",)),
    ("error_rate", ("",), ()),
    ("error_rate", ("5xx",), ("service",)),
    ("delivery_on_time", ("",), ("integration",)),
    ("delivery_latency", ("p95",), ("integration",)),
    ("tickets", ("",), ("category",)),
    ("tickets", ("resolved",), ("category",)),
    ("resolution_time", ("mean",), ()),
    ("resolution_time", ("p90",), ()),
)
CURRENT: Final = "select count(*) from tenant"


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with await create_pool(database_url, min_size=SIDE_BY_SIDE + 1, max_size=SIDE_BY_SIDE + 1) as made:
        yield made


def questions(tenant: int) -> list[tuple[Kpi, list[Window], Question]]:
    """Some of the same reading and some of others, over windows that they share and that they do not."""
    week, day, month = windows(tenant)
    asked = []
    for place, (name, statistics, by) in enumerate(SEVERAL):
        kpi = CATALOG.kpis[name]
        spans = [each for each in ((week, month) if place % 2 else (week, window_before(week), day)) if kpi.takes(each.name)]
        keyed = [Window(tenant, (name, n), w.start_us, w.end_us, w.until_us, w.zone, w.name) for n, w in enumerate(spans)]
        asked.append((kpi, keyed, Question(by=by, statistics=statistics, spread=True)))
    return asked


def ordered(values: list[Value]) -> list[Value]:
    return sorted(values, key=lambda value: (str(value.window), value.row, value.statistic))


async def test_questions_asked_at_once_get_what_each_gets_alone(pool: asyncpg.Pool, connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "several")
    await store_streams(connection, tenant)
    declared: dict[int, Declared] = {tenant: declared_of(parse(pilot.configuration(), known_kpis=CATALOG.shapes()))}
    alone = [
        await run(connection, kpi, spans, question, declared=declared, kept=Kept()) for kpi, spans, question in questions(tenant)
    ]
    async with snapshot(pool) as seen:
        desk = Desk(seen.connection, declared, Kept())
        at_once = await side_by_side(desk.ask(*each) for each in questions(tenant))
    assert [ordered(each) for each in at_once] == [ordered(each) for each in alone]
    assert all(any(value.value for value in each) for each in alone)


async def test_a_question_that_is_refused_is_refused_as_itself_and_the_others_are_answered(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        tenant = await make_tenant(connection, "several")
    week, kpi = windows(tenant)[:1], CATALOG.kpis["requests"]
    async with snapshot(pool) as seen:
        desk = Desk(seen.connection, {}, Kept())
        asked = [desk.ask(kpi, week, Question(by=by, statistics=("",))) for by in (("weather",), (), ("storm",))]
        refused, answered, another = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(answered, list)
    assert [value.value for value in answered] == [0]
    for each, name in ((refused, "weather"), (another, "storm")):
        assert isinstance(each, InvalidQuery)
        assert name in str(each)


async def test_nobody_waits_for_an_answer_when_the_first_who_asked_is_cancelled(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        tenant = await make_tenant(connection, "several")
    week, kpi, question = windows(tenant)[:1], CATALOG.kpis["requests"], Question(statistics=("",))
    async with snapshot(pool, most=1) as seen:
        desk = Desk(seen.connection, {}, Kept())
        async with asyncio.timeout(60):
            for turns in (1, 10):  # while others may still come; while the statement waits for the connection
                async with seen.connection():
                    asked = [asyncio.create_task(desk.ask(kpi, week, question)) for _ in range(2)]
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    asked[0].cancel()
                    ended = await asyncio.gather(*asked, return_exceptions=True)
                assert [type(each) for each in ended] == [asyncio.CancelledError] * 2
            assert [value.value for value in await desk.ask(kpi, week, question)] == [0]


async def test_a_refusal_that_one_of_several_tells_is_told_once(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        tenant = await make_tenant(connection, "several")
    told: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    week = windows(tenant)[:1]
    wrong, right = Question(by=("weather",), statistics=("",)), Question(statistics=("",))
    async with snapshot(pool, most=1) as seen:
        desk = Desk(seen.connection, {}, Kept())
        asked = [("requests", wrong), ("requests", wrong), *((name, right) for name in ("requests", "error_rate"))]
        with pytest.raises(InvalidQuery, match="weather"):
            await side_by_side(desk.ask(CATALOG.kpis[name], week, question) for name, question in asked)
    gc.collect()
    loop.set_exception_handler(None)
    assert told == []


async def test_an_error_of_one_of_several_keeps_nothing_of_what_was_read() -> None:
    class Read:
        """Something that is alive for as long as something else knows it."""

    kept: list[weakref.ref[Read]] = []

    async def refused(question: str) -> Read:
        read = Read()
        kept.append(weakref.ref(read))
        await asyncio.sleep(0)
        if question == "wrong":
            raise InvalidQuery("by", question)
        return read

    gc.disable()  # which would find what knows itself in a circle, late
    try:
        with contextlib.suppress(InvalidQuery):
            await side_by_side(refused(each) for each in ("right", "wrong", "wrong"))
        await asyncio.sleep(0)
        assert [each() for each in kept] == [None] * 3
    finally:
        gc.enable()


async def test_all_connections_of_a_snapshot_see_the_same(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as writing:
        await make_tenant(writing, "before")
    async with snapshot(pool) as seen:
        async with pool.acquire() as writing:
            await make_tenant(writing, "after")
        met = asyncio.Barrier(SIDE_BY_SIDE)

        async def counted() -> int:
            async with seen.connection() as connection:
                await met.wait()  # so that each has a connection of its own
                found: int = await connection.fetchval(CURRENT)
                return found

        assert await side_by_side(counted() for _ in range(SIDE_BY_SIDE)) == [1] * SIDE_BY_SIDE
    assert await pool.fetchval(CURRENT) == 2


async def test_a_snapshot_waits_for_no_second_connection_and_leaves_one_to_others(database_url: str) -> None:
    async with await create_pool(database_url, max_size=2) as small, snapshot(small) as one, snapshot(small) as other:
        for each in (one, other):
            async with each.connection() as connection:
                assert await connection.fetchval(CURRENT) == 0
    async with await create_pool(database_url, max_size=3) as pool, snapshot(pool), pool.acquire() as left:
        assert await left.fetchval(CURRENT) == 0


async def test_a_snapshot_goes_without_connections_that_others_are_still_opening(database_url: str) -> None:
    may_open = asyncio.Event()
    may_open.set()

    async def opened(*place: Any, **settings: Any) -> asyncpg.Connection:
        await may_open.wait()
        return await asyncpg.connect(*place, **settings)

    async with asyncpg.create_pool(database_url, min_size=1, max_size=3, connect=opened) as pool, AsyncExitStack() as lent:
        may_open.clear()
        await lent.enter_async_context(pool.acquire())
        others = [asyncio.create_task(pool.execute(CURRENT)) for _ in range(2)]
        await asyncio.sleep(0)  # so that both have begun to open theirs
        await lent.aclose()
        async with asyncio.timeout(60), snapshot(pool) as seen, seen.connection() as connection:
            assert await connection.fetchval(CURRENT) == 0
        may_open.set()
        assert await asyncio.gather(*others) == ["SELECT 1"] * 2


async def test_no_connection_of_a_snapshot_is_ended_while_the_others_work(pool: asyncpg.Pool) -> None:
    async with snapshot(pool) as seen, AsyncExitStack() as borrowed:
        each = [await borrowed.enter_async_context(seen.connection()) for _ in range(SIDE_BY_SIDE)]
        assert [await one.fetchval("show idle_in_transaction_session_timeout") for one in each] == ["0"] * SIDE_BY_SIDE
        assert await pool.fetchval("show idle_in_transaction_session_timeout") == "1min"
