"""An operator's own KPIs: tried on Postgres at start, refused with their line, reading alone and for a bounded time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from service.catalog import Catalog, Kept, Question, declared_of, guarded, resolve_window, run
from service.catalog.guests import load_catalog
from service.catalog.together import Desk
from service.clock import HOUR, SystemClock
from service.domain.config import TenantConfig
from service.errors import KpiFailed
from service.http import problems
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store

NOW: Final = SystemClock().now_us() // HOUR * HOUR
HEAD: Final = """-- id = "own"
-- title = "Own"
-- definition = "ours"
-- family = "Own"
-- unit = "requests"
-- kind = "count"
-- better = "neither"
-- dimensions = ["service"]
-- [facts]
-- kind = "request"

"""
SOUND: Final = (
    "select tenant, win, dims, '' as statistic, sum(n) as numerator, null::numeric as denominator\nfrom facts group by 1, 2, 3"
)

SOUND_LINE: Final = 12
"""Of the file, where the statement begins."""


async def loaded(connection: asyncpg.Connection, directory: Path, statement: str, **others: str) -> Catalog:
    (directory / "own.sql").write_text(HEAD + statement)
    for name, formula in others.items():
        head = HEAD.replace("own", name).replace('"count"', f'"formula"\n-- formula = "{formula}"')
        lines = [
            line for line in head.splitlines() if "dimensions" not in line and "facts" not in line and 'request"' not in line
        ]
        (directory / f"{name}.sql").write_text("\n".join(lines))
    return await load_catalog(connection, directory)


async def test_a_file_of_the_operator_is_a_kpi_like_any_other(connection: asyncpg.Connection, tmp_path: Path) -> None:
    await make_partitions(connection)
    tenant = await make_tenant(connection, "pilot")
    await store(connection, tenant, "request", "UTC", [Observation(NOW - HOUR, {"service": "api", "status": "200"}, count=3)])
    catalog = await loaded(connection, tmp_path, SOUND, twice="own * 2")
    assert catalog.refused == ()
    window = resolve_window(tenant, "UTC", now_us=NOW, name="24h")
    for name, expected in (("own", 3), ("twice", 6), ("requests", 3)):
        [value] = await run(connection, catalog.kpis[name], [window], Question(statistics=("",)))
        assert value.value == expected, name


@pytest.mark.parametrize(
    ("statement", "line", "says"),
    [
        (SOUND.replace("sum(n)", "sum(nn)"), 12, 'column "nn" does not exist'),
        (SOUND.replace("from facts", "from fact"), 13, 'relation "fact" does not exist'),
        (SOUND.replace("group by 1, 2, 3", "group by 1, 2"), 12, "must appear in the GROUP BY"),
        ("select tenant, win, dims, sum(n) as numerator\nfrom facts group by 1, 2, 3", 12, "lacks statistic, denominator"),
        ("with gone as (delete from tenant returning id)\n" + SOUND, 12, "data-modifying"),
        (SOUND + ")", 13, "syntax error"),
    ],
)
async def test_what_postgres_refuses_is_refused_with_its_line(
    connection: asyncpg.Connection, tmp_path: Path, statement: str, line: int, says: str
) -> None:
    catalog = await loaded(connection, tmp_path, statement, rests="own + 1", sound="requests + 1")
    by_name = {Path(each.file).stem: each for each in catalog.refused}
    assert by_name.keys() == {"own", "rests"}
    assert (by_name["own"].line, says in by_name["own"].message) == (line, True), by_name["own"]
    assert "there is no KPI own" in by_name["rests"].message
    assert {"sound", "requests"} <= catalog.kpis.keys()


async def test_a_mistake_in_the_heads_condition_is_told_where_it_was_written(
    connection: asyncpg.Connection, tmp_path: Path
) -> None:
    condition = """-- where = "d->>'outcome' = nonsense"\n"""
    (tmp_path / "own.sql").write_text(HEAD.rstrip() + f"\n{condition}\n\n\n{SOUND}")
    [refusal] = (await load_catalog(connection, tmp_path)).refused
    assert (refusal.line, 'column "nonsense" does not exist' in refusal.message) == (11, True), refusal


async def test_a_file_that_cannot_be_split_as_its_head_says_is_refused(connection: asyncpg.Connection, tmp_path: Path) -> None:
    head = HEAD.replace('["service"]', '["account", "service"]')
    (tmp_path / "own.sql").write_text(head + SOUND.replace("dims,", "dims::text as dims,"))
    [refusal] = (await load_catalog(connection, tmp_path)).refused
    assert refusal.line == SOUND_LINE
    assert "split by account, service: operator does not exist: text ->>" in refusal.message


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("select tenant, win, dims, '' as statistic, 1 / sum(n - n) as numerator, 1 as denominator from facts group by 1, 2, 3",
         "Postgres says division by zero"),
        ("select tenant, win, dims, 'others' as statistic, n as numerator, n as denominator from facts",
         "a row is of the statistic 'others', which the head does not name: it has ''"),
        ("select tenant, win, dims, '' as statistic, 'many' as numerator, n as denominator from facts",
         "a row's numerator is 'many': it must be a finite number, or null"),
        ("select tenant, win, dims, '' as statistic, 'NaN'::numeric as numerator, n as denominator from facts",
         "a row's numerator is Decimal('NaN'): it must be a finite number, or null"),
        ("select tenant, null::int as win, dims, '' as statistic, n as numerator, n as denominator from facts",
         "a row has no win: take both from the relations that it reads"),
        ("select tenant, win + 7 as win, dims, '' as statistic, n as numerator, n as denominator from facts",
         "its rows are none of the kind count: list index out of range"),
        ("select tenant, win, '[1]'::jsonb as dims, '' as statistic, n as numerator, n as denominator from facts",
         "its rows are none of the kind count: Expected `object`, got `array`"),
    ],
)  # fmt: skip
async def test_what_fails_when_it_is_asked_names_the_file_and_why(
    connection: asyncpg.Connection, tmp_path: Path, statement: str, says: str
) -> None:
    await make_partitions(connection)
    tenant = await make_tenant(connection, "pilot")
    await store(connection, tenant, "request", "UTC", [Observation(NOW - HOUR, {"service": "api", "status": "200"}, count=3)])
    catalog = await loaded(connection, tmp_path, statement, twice="own * 2", both="requests + 1")
    assert catalog.refused == ()
    window = resolve_window(tenant, "UTC", now_us=NOW, name="24h")
    for name in ("own", "twice"):
        with pytest.raises(KpiFailed) as failure:
            await run(connection, catalog.kpis[name], [window])
        assert str(failure.value).startswith(f"the KPI own is of the operator's own file own.sql, which failed: {says}"), name
        problem = problems.of(failure.value)
        assert problem is not None
        assert (problem.kind.status, problem.members) == (503, {"kpi": "own", "file": "own.sql"})
    [value] = await run(connection, catalog.kpis["both"], [window])
    assert value.value == 4


async def test_where_several_are_asked_one_that_fails_has_no_value_and_says_why(
    connection: asyncpg.Connection, tmp_path: Path
) -> None:
    tenant = await make_tenant(connection, "pilot")
    fails = "select tenant, win, '{}'::jsonb as dims, '' as statistic, 1 / (win - win) as numerator, 1 as denominator from wins"
    catalog = await loaded(connection, tmp_path, fails, twice="own * 2")
    window = resolve_window(tenant, "UTC", now_us=NOW, name="7d")

    @asynccontextmanager
    async def borrow() -> AsyncIterator[asyncpg.Connection]:
        yield connection

    targets = [{"kpi": name, "op": "<=", "target": 5} for name in ("own", "requests")]
    config = TenantConfig.model_validate({"health": {"delivery": {"own": 1, "requests": 1}}, "target": targets})
    desk = Desk(borrow, {tenant: declared_of(config)}, Kept())
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for name, reason in (("own", "failed"), ("twice", "failed"), ("requests", "")):
            [value] = await desk.ask(catalog.kpis[name], [window], Question(statistics=("",)))
            assert (value.value, value.reason) == (None if reason else 0, reason), name
            assert ("division by zero" in value.note) == bool(reason), name
        health = await desk.ask(catalog.kpis["health"], [window], Question(statistics=("", "delivery")))
    # The score stands on the other one alone, of which there are no more than are wanted.
    assert {value.statistic: (value.value, value.reason) for value in health} == {"": (100, ""), "delivery": (20, "")}


async def test_an_operators_statement_may_only_read(connection: asyncpg.Connection, tmp_path: Path) -> None:
    await connection.execute(
        "create function spoil() returns int language plpgsql as $$ begin delete from tenant; return 1; end $$"
    )
    tenant = await make_tenant(connection, "pilot")
    statement = "select tenant, win, '{}'::jsonb as dims, '' as statistic, spoil() as numerator, 1 as denominator from wins"
    catalog = await loaded(connection, tmp_path, statement)
    with pytest.raises(KpiFailed, match="cannot execute DELETE in a read-only transaction"):
        await run(connection, catalog.kpis["own"], [resolve_window(tenant, "UTC", now_us=NOW, name="24h")])
    assert await connection.fetchval("select count(*) from tenant") == 1


async def test_an_operators_statement_runs_for_a_bounded_time(
    connection: asyncpg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded, "TIMEOUT_S", 0.2)
    tenant = await make_tenant(connection, "pilot")
    slow = "select tenant, win, '{}'::jsonb as dims, '' as statistic, 1 as numerator, pg_sleep(60)::text as denominator from wins"
    catalog = await loaded(connection, tmp_path, slow)
    window = resolve_window(tenant, "UTC", now_us=NOW, name="24h")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        with pytest.raises(KpiFailed, match=r"longer than 0\.2 s"):
            await run(connection, catalog.kpis["own"], [window])
        [value] = await run(
            connection, catalog.kpis["requests"], [window], Question(statistics=("",))
        )  # the others go on, in the same snapshot
    assert value.value == 0


async def test_a_file_that_cannot_be_read_is_refused(connection: asyncpg.Connection, tmp_path: Path) -> None:
    (tmp_path / "bytes.sql").write_bytes(b"-- id = \xff\xfe")
    [refusal] = (await load_catalog(connection, tmp_path)).refused
    assert "cannot be read" in refusal.message
