"""Asking the catalog for what the oracle knows, and saying where the two differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import asyncpg

from service.catalog import Catalog, Declared, Kept, Kpi, Question, Value, Window, run
from service.catalog.paging import read_page
from service.catalog.question import by_account_first
from service.catalog.value import row_text
from tests.oracle.questions import Asked, Subject
from tests.oracle.wanted import WITHIN, Dims, agrees
from tests.oracle.world import World


@dataclass(frozen=True, slots=True)
class Rollups:
    """A database, what its tenants declare, and how far back it keeps each grain."""

    pool: asyncpg.Pool
    declared: Mapping[int, Declared]
    kept: Kept


async def differences(
    rollups: Rollups,
    catalog: Catalog,
    worlds: Mapping[int, World],
    windows: Sequence[Window],
    subject: Subject,
    asked: Asked,
) -> list[str]:
    """Every figure of a question that is not what the oracle says, a sentence each."""
    by, filters = asked
    question = Question(by=by, filters=filters, within=WITHIN, parameters=dict(subject.parameters))
    async with rollups.pool.acquire() as connection:
        found = await _found(connection, rollups, catalog, windows, subject, question)
    said: list[str] = []
    for window in windows:
        wanted, here = subject.figures(worlds[window.tenant], window, by, filters), found[window.key]
        for key in wanted.keys() | here.keys():
            if key not in here or key not in wanted or not agrees(wanted[key], here[key]):
                bounds = f"{window.name or 'own'} {window.start_us}..{window.end_us}"
                said.append(f"{subject.kpi} {asked} {bounds} {key}: wanted {wanted.get(key, '-')}, found {here.get(key, '-')}")
    return said


async def _found(
    connection: asyncpg.pool.PoolConnectionProxy,
    rollups: Rollups,
    catalog: Catalog,
    windows: Sequence[Window],
    subject: Subject,
    question: Question,
) -> dict[Any, dict[tuple[Dims, str], Value]]:
    values = await run(connection, catalog.kpis[subject.kpi], windows, question, declared=rollups.declared, kept=rollups.kept)
    if by_account_first(question.by):
        await _check_pages(connection, rollups, catalog.kpis[subject.kpi], windows[0], question, values)
    found: dict[Any, dict[tuple[Dims, str], Value]] = {window.key: {} for window in windows}
    names = (*question.by, *subject.apart)
    for value in values:
        if value.reason != "mixed_units":
            found[value.window][tuple(value.dims.get(name, "") for name in names), value.statistic] = value
    return found


async def _check_pages(
    connection: asyncpg.pool.PoolConnectionProxy,
    rollups: Rollups,
    kpi: Kpi,
    window: Window,
    question: Question,
    values: Sequence[Value],
) -> None:
    """Two pages, or some more, of one window have its values, each once."""
    wanted = {(row_text(value.dims), value.statistic): value for value in values if value.window == window.key and value.dims}
    limit, found, after = 1 + len({row for row, _ in wanted}) // 2, [], None
    while True:
        asked = replace(question, after=after)
        page = await read_page(connection, kpi, window, asked, limit, declared=rollups.declared, kept=rollups.kept)
        found += [value for _, of_row in page.rows for value in of_row if value.dims]
        if not page.more:
            break
        after = page.rows[-1][0]
    assert len(found) == len(wanted), f"{kpi.id} {question}: {len(wanted)} values, on pages {len(found)}"
    assert {(row_text(value.dims), value.statistic): value for value in found} == wanted
