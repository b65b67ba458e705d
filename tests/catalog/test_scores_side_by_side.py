"""What a score is made of is asked side by side and read together: its values are those of one connection, KPI by KPI."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import asyncpg
import pytest

from service.catalog import Kept, Question, declared_of, run
from service.catalog.figures import read_figures
from service.catalog.figures_together import read_together, together
from service.catalog.scores import Scene
from service.catalog.scoring import READS
from service.clock import DAY
from service.demo import pilot
from service.domain.config import parse
from service.store.engine import create_pool
from service.store.snapshots import SIDE_BY_SIDE, Snapshot, widened
from tests.catalog.pilot import store_pilot_week
from tests.catalog.rollups import make_tenant
from tests.catalog.test_adding import CATALOG, store_streams, windows
from tests.catalog.test_scores_together import told

BY_ACCOUNT = Question(("account",))


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with await create_pool(database_url, min_size=SIDE_BY_SIDE + 1, max_size=SIDE_BY_SIDE + 1) as made:
        yield made


@pytest.fixture
async def tenant(connection: asyncpg.Connection) -> int:
    made = await make_tenant(connection, "pilot", "UTC")
    await store_streams(connection, made)
    await store_pilot_week(connection, made)
    return made


@pytest.mark.parametrize("score", ["health", "churn_risk"])
async def test_a_score_asked_on_several_connections_is_that_of_one(pool: asyncpg.Pool, tenant: int, score: str) -> None:
    kpi = CATALOG.kpis[score]
    declared = {tenant: declared_of(parse(pilot.configuration(), known_kpis=CATALOG.shapes()))}
    fitting = [window for window in windows(tenant) if kpi.takes(window.name)]
    told_of = 0
    for question in (BY_ACCOUNT, Question(), Question(filters={"account": ("acme",)})):
        async with pool.acquire() as connection:
            alone = await run(connection, kpi, fitting, question, declared=declared, kept=Kept())
            async with connection.transaction(isolation="repeatable_read", readonly=True), widened(connection, pool) as seen:
                at_once = await run(connection, kpi, fitting, question, declared=declared, kept=Kept(), seen=seen)
        assert at_once == alone
        told_of += sum(value.value is not None for value in alone)
    assert told_of


async def test_a_score_goes_alone_where_the_pool_has_nothing_to_spare(pool: asyncpg.Pool, tenant: int) -> None:
    kpi, window = CATALOG.kpis["health"], windows(tenant)[0]
    async with AsyncExitStack() as others:
        for _ in range(SIDE_BY_SIDE):
            await others.enter_async_context(pool.acquire())
        async with pool.acquire() as connection:
            async with connection.transaction(isolation="repeatable_read", readonly=True), widened(connection, pool) as seen:
                found = await run(connection, kpi, [window], BY_ACCOUNT, declared={}, kept=Kept(), seen=seen)
            assert found == await run(connection, kpi, [window], BY_ACCOUNT, declared={}, kept=Kept())


async def test_one_that_asks_twice_keeps_its_connection_and_the_first_error_ends_the_others(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        used: list[list[int]] = []

        async def twice(of: Scene) -> None:
            pids = []
            for _ in range(2):
                async with of.seen.connection() as one:
                    pids.append(await one.fetchval("select pg_backend_pid()"))
            used.append(pids)

        async def refused(of: Scene) -> None:
            async with of.seen.connection() as one:
                await one.fetchval("select 1 / 0")

        async with connection.transaction(isolation="repeatable_read", readonly=True), widened(connection, pool) as seen:
            scene = replace(_nothing(), seen=seen)
            await scene.side_by_side([twice] * (SIDE_BY_SIDE + 1))
            assert [len(set(pids)) for pids in used] == [1] * (SIDE_BY_SIDE + 1)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await replace(_nothing(), seen=Snapshot((connection,))).side_by_side([refused, twice])


async def test_kpis_that_are_read_together_have_the_figures_that_each_has_alone(pool: asyncpg.Pool, tenant: int) -> None:
    # The pilot counts business days alone for one of them.
    declared = {tenant: declared_of(parse(pilot.configuration(), known_kpis=CATALOG.shapes()))}
    of_health = together(CATALOG.kpis[name.partition(".")[0]] for name in READS["health"])
    groups = [*of_health, *together(CATALOG.kpis.values())]
    ids = [{kpi.id for kpi in group} for group in groups]
    assert ids[: len(of_health)] == [{"stickiness_weekly", "repeat_visit", "wau_share"}, {"delivery_on_time", "delivery_success"}]
    without_days = together(CATALOG.kpis[name] for name in ("repeat_visit", "wau_share", "mau"))
    compared = 0
    async with pool.acquire() as connection:
        for kpis in (*groups, *without_days):
            # One of three weeks: of more days than are added up at once.
            known = [
                *windows(tenant),
                *(replace(each, start_us=each.end_us - 21 * DAY, key="3w") for each in windows(tenant)[:1]),
            ]
            fitting = [each for each in known if all(kpi.takes(each.name) for kpi in kpis)]
            for accounts in (None, ("acme", "nobody")):
                question = Question(("account",), {} if accounts is None else {"account": accounts}, statistics=("",))
                at_once = await read_together(connection, kpis, fitting, accounts, declared)
                for kpi, found in zip(kpis, at_once, strict=True):
                    alone = await read_figures(connection, kpi, fitting, question, declared)
                    assert told(found) == told(alone), f"{kpi.id} beside {kpis[0].id}"
                    compared += len(alone)
    assert compared > len(groups)


def _nothing() -> Scene:
    """A scene of no windows, whose questions nobody asks."""

    async def never(*_: object) -> list[None]:
        raise AssertionError("nothing is asked here")

    return Scene(Snapshot(()), never, never, never, {}, [], {})  # type: ignore[arg-type]


async def test_a_spare_connection_that_is_gone_lets_a_reader_go_on_alone(pool: asyncpg.Pool) -> None:
    held = [await pool.acquire() for _ in range(SIDE_BY_SIDE + 1)]
    backends = [await each.fetchval("select pg_backend_pid()") for each in held]
    for each in held:
        await pool.release(each)
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        ours = await connection.fetchval("select pg_backend_pid()")
        for backend in backends:
            if backend != ours:
                assert await connection.fetchval("select pg_terminate_backend($1, 60000)", backend)
        async with widened(connection, pool) as seen, seen.connection() as found:
            assert await found.fetchval("select 7") == 7
