"""Two dear relations that are read side by side and handed over: the values are those of the one statement that makes both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta

import asyncpg
import pytest

from service.catalog import Catalog, Kept, Question, Window, resolve_window, run
from service.catalog.handed import SIDES, read_sides, sides, takes_several
from service.catalog.paging import read_page
from service.clock import DAY
from service.store.engine import Connection, create_pool
from service.store.snapshots import SIDE_BY_SIDE, Snapshot, widened
from tests.catalog.test_users import declared
from tests.catalog.test_uses_by_user import MONDAY, NOW_US, ZONE, dice_of, stored, weeks_of

DEAR = [
    Question(by=("account.region", "feature")),
    Question(by=("feature", "user.region")),
    Question(by=("feature",), filters={"account.region": ("north", "")}),
    Question(by=("account.region", "feature"), filters={"feature": ("out", "search")}),
    Question(by=("user.role", "account.region", "feature"), filters={"account": ("acme", "beta")}),
]
CHEAP = [
    Question(by=("feature",)),
    Question(by=("feature",), filters={"account": ("acme",)}),
    Question(by=("account", "feature")),
    Question(by=("account", "account.region", "feature")),
    Question(filters={"feature": ("csv",), "account.region": ("north",)}),
]
DECLARED = declared(feature_groups={"out": ["csv", "export"]}, features={"csv": {"frequency": True}})


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with await create_pool(database_url, max_size=SIDE_BY_SIDE + 1) as made:
        yield made


@pytest.fixture
async def tenant(connection: asyncpg.Connection) -> int:
    return await stored(connection, *dice_of())


@asynccontextmanager
async def several(pool: asyncpg.Pool) -> AsyncIterator[tuple[Connection, Snapshot]]:
    """A connection, and what it sees by it and others, as an answer has them."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
        widened(connection, pool) as seen,
    ):
        assert seen.has_several
        yield connection, seen


def windows(tenant: int) -> list[Window]:
    """Of whole weeks, by which uses are known by users; of days and hours, by which they are not; and one before all uses."""
    cut = resolve_window(tenant, ZONE, now_us=NOW_US, start_us=NOW_US - 50 * DAY, end_us=NOW_US - 41 * DAY, key=2)
    weeks = [weeks_of(tenant, MONDAY, MONDAY + timedelta(days=days), key=days) for days in (7, 14)]
    return [*weeks, cut, weeks_of(tenant, date(2024, 1, 1), date(2024, 1, 8), key=3)]


async def test_what_is_read_side_by_side_and_handed_over_changes_no_value(
    catalog: Catalog, pool: asyncpg.Pool, tenant: int
) -> None:
    kpi, known = catalog.kpis["usage_frequency"], {tenant: DECLARED}
    notes, figures = 0, 0
    for question in DEAR:
        async with several(pool) as (connection, seen):
            found = await run(connection, kpi, windows(tenant), question, declared=known, kept=Kept(), seen=seen)
            alone = await run(connection, kpi, windows(tenant), question, declared=known, kept=Kept())
        assert found == alone, question
        notes += sum(bool(value.note) for value in alone)
        figures += sum(value.value is not None for value in alone)
    assert notes
    assert figures


async def test_pages_of_it_follow_one_another_as_those_of_one_statement(
    catalog: Catalog, pool: asyncpg.Pool, tenant: int
) -> None:
    kpi, known, window = catalog.kpis["usage_frequency"], {tenant: DECLARED}, windows(tenant)[1]
    async with several(pool) as (connection, seen):
        for question in DEAR:
            whole = await read_page(connection, kpi, window, question, 1_000, declared=known, kept=Kept())
            after, rows = None, []
            while True:
                asked = replace(question, after=after)
                page = await read_page(connection, kpi, window, asked, 2, declared=known, kept=Kept(), seen=seen)
                rows += page.rows
                if not page.more:
                    break
                after = page.rows[-1][0]
            assert rows == whole.rows, question
            assert len(rows) > 2


async def test_nothing_is_handed_over_where_there_is_no_second_connection(
    catalog: Catalog, connection: asyncpg.Connection, tenant: int
) -> None:
    kpi, known, lone = catalog.kpis["usage_frequency"], {tenant: DECLARED}, Snapshot((connection,))
    assert await read_sides(lone, kpi, windows(tenant), DEAR[0], known) == {}
    alone = await run(connection, kpi, windows(tenant), DEAR[0], declared=known, kept=Kept())
    assert await run(connection, kpi, windows(tenant), DEAR[0], declared=known, kept=Kept(), seen=lone) == alone


def test_what_reads_one_dear_relation_takes_one_connection(catalog: Catalog) -> None:
    of = catalog.kpis["usage_frequency"]
    assert all(sides(of, question) == SIDES and takes_several(of, question) for question in DEAR)
    assert not any(sides(of, question) or takes_several(of, question) for question in CHEAP)
    others = [kpi for kpi in catalog.kpis.values() if kpi is not of]
    assert not any(sides(kpi, question) for kpi in others for question in DEAR)
    assert all(takes_several(kpi, Question(by=("account",))) == (kpi.head.kind == "score") for kpi in others)
