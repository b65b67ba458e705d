"""Running a KPI: one statement for all tenants and windows, and its rows turned into values."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import asyncpg

from service.catalog.adding import added_up, at_once, finest, in_one
from service.catalog.answers import answers_of, expired_of
from service.catalog.arguments import arguments
from service.catalog.cut import Kept
from service.catalog.declared import Declared
from service.catalog.expiry import by_expiry
from service.catalog.figures import Figures, Place, read_figures
from service.catalog.figures_together import read_together
from service.catalog.guarded import fetch_guest, unless_failed
from service.catalog.handed import read_sides
from service.catalog.joining import Part, dims_of, joined, parts
from service.catalog.joint import Ready, key_of, read_columns
from service.catalog.kpi import Formula, Kpi
from service.catalog.question import MAX_PIECES, MAX_ROWS, Question, by_account_first, check
from service.catalog.scores import Scene
from service.catalog.scoring import accounts_asked, score_values
from service.catalog.shared import Shared, Slow, nobody_slow
from service.catalog.sheets import Row as SplitRow
from service.catalog.sheets import Sheet, sheet_of_columns, sheet_of_values
from service.catalog.statement import Statement, comes_in_pieces, statement
from service.catalog.value import Row, Value, one_where_apart
from service.catalog.windows import Window
from service.errors import TooManyRows
from service.store.engine import Connection
from service.store.snapshots import Snapshot


async def run(
    connection: Connection,
    kpi: Kpi,
    windows: Sequence[Window],
    question: Question | None = None,
    *,
    declared: Mapping[int, Declared] | None = None,
    kept: Kept | None = None,
    shared: Shared | None = None,
    ready: Ready | None = None,
    seen: Snapshot | None = None,
) -> list[Value]:
    """All values of a KPI for these windows, of any tenants, with one statement; what others read alike is `shared`.

    Of what a formula is made of, rows may be `ready`. A score, and what reads two dear relations (`handed.py`), asks side by side
    where its connection is one of several that have nothing else to do, those of `seen`.

    Without a split every window has a value of every statistic, if need be 0 or none with its reason; with
    one there are the rows that something happened in, and the names that are declared.
    Raises InvalidQuery when the question does not fit the KPI, and KpiFailed where an operator's own file gives no answer.
    """
    asked = question or Question()
    check(kpi, asked)
    known = declared if declared is not None else {}
    if kpi.formula is not None:
        return await _derived(connection, kpi, kpi.formula, windows, asked, known, kept or Kept(), shared, ready)
    if kpi.head.kind == "score":
        of = scene(seen or Snapshot((connection,)), kpi.beside, windows, accounts_asked(asked), known, kept or Kept())
        return await score_values(kpi, of, asked)
    gone, there = by_expiry(kpi, windows, kept or Kept())
    given = await read_sides(seen, kpi, there, asked, known) if seen and there else None
    records = await _records(connection, kpi, there, asked, known, shared, given=given) if there else []
    return answers_of(kpi, there, records, asked, known) + expired_of(kpi, gone, asked)


async def run_splits(
    connection: Connection,
    kpi: Kpi,
    windows: Sequence[Window],
    questions: Sequence[Question],
    *,
    declared: Mapping[int, Declared],
    kept: Kept,
    shared: Shared | None = None,
) -> list[Value]:
    """The values of several splits of a KPI that differ in nothing else and have no filters.

    A score measures once for all of them; rows that add up are asked for once, by all of the dimensions, and so is what gives
    several splits at once.

    Raises InvalidQuery when a question does not fit the KPI.
    """
    if kpi.head.kind == "score":
        for question in questions:
            check(kpi, question)
            accounts_asked(question)
        slow = shared.slow if shared else nobody_slow
        of = scene(Snapshot((connection,)), kpi.beside, windows, None, declared, kept, slow=slow)
        return await score_values(kpi, of, *questions)
    splits = [each.by for each in questions]
    together = at_once(kpi, splits)
    fine = together or finest(kpi, splits)
    if fine is None:
        found = [await run(connection, kpi, windows, each, declared=declared, kept=kept, shared=shared) for each in questions]
        return [value for values in found for value in values]
    gone, there = by_expiry(kpi, windows, kept)
    answers: list[Value] = []
    if there:
        asked = replace(questions[0], by=fine)
        check(kpi, asked)
        dropped = [[name for name in fine if name not in by] for by in splits] if together else None
        records = await _records(connection, kpi, there, asked, declared, dropped=dropped)
        for number, question in enumerate(questions):
            rows = [each for each in records if each["split"] == number] if together else added_up(records, question.by)
            answers += answers_of(kpi, there, rows, question, declared)
    return answers + expired_of(kpi, gone, questions[0])


async def _records(
    connection: Connection,
    kpi: Kpi,
    windows: Sequence[Window],
    asked: Question,
    known: Mapping[int, Declared],
    shared: Shared | None = None,
    *,
    given: Mapping[str, str] | None = None,
    dropped: Sequence[Sequence[str]] | None = None,
) -> Sequence[Row]:
    """The rows of a KPI's statement, some of its relations `given`; for several splits each with its number, as `dropped`."""
    by = (*asked.by, *(name for name in kpi.head.apart if name not in asked.by))
    handed = dict(given or {})
    if shared and (active := await shared.active(connection, kpi, windows, asked, known)) is not None:
        handed["active"] = active
    made = statement(kpi, by, asked.filtered, frozenset(handed))
    bound = arguments(kpi, windows, asked, by, known, frozenset(made.parameters))
    bound |= {f"given_{name}": rows for name, rows in handed.items()}
    if dropped is not None:
        bound["split_dropped"] = [",".join(names) for names in dropped]
    if comes_in_pieces(kpi):
        return await _pieces(connection, kpi, made, bound, by_account=by_account_first(by))
    records = await _fetch(connection, kpi, made, bound)
    if asked.rows is None and len(records) > MAX_ROWS:
        raise TooManyRows(MAX_ROWS)
    return records


async def _pieces(connection: Connection, kpi: Kpi, made: Statement, bound: dict[str, Any], *, by_account: bool) -> Sequence[Row]:
    """The rows of a statement that come in pieces, each put together, all of them: a page is none of the statement's own."""
    pieces = await _fetch(connection, kpi, made, bound | {"row_limit": MAX_PIECES + 1})
    rows = in_one(pieces, by_account=by_account)
    if len(pieces) > MAX_PIECES or len(rows) > MAX_ROWS:
        raise TooManyRows(MAX_ROWS)
    return rows


async def _fetch(connection: Connection, kpi: Kpi, made: Statement, bound: Mapping[str, Any]) -> list[asyncpg.Record]:
    in_order = [bound[name] for name in made.parameters]
    rows: list[asyncpg.Record] = (
        await fetch_guest(connection, kpi, made.text, in_order) if kpi.is_guest else await connection.fetch(made.text, *in_order)
    )
    return rows


async def _derived(
    connection: Connection,
    kpi: Kpi,
    formula: Formula,
    windows: Sequence[Window],
    asked: Question,
    known: Mapping[int, Declared],
    kept: Kept,
    shared: Shared | None,
    ready: Ready | None,
) -> list[Value]:
    """The values of a formula: its KPIs are read as columns, or not at all where another formula has asked for the same."""
    if ready is None and shared is None:
        ready = await read_columns(connection, formula, windows, asked, known, kept)
    dims, found = dims_of(kpi, asked), list[tuple[Part, Sheet]]()
    read: dict[tuple[str, ...], dict[str, SplitRow]] = {}
    for part in parts(formula, asked):
        of = part.windows(windows)
        gone, there = by_expiry(part.kpi, of, kept)
        columns = ready.get(key_of(part.kpi, there, part.question)) if ready and not part.is_empty else None
        if columns is not None:
            sheet = sheet_of_columns(part.kpi, dims, there, part.question, columns, read)
            sheet.gone.update((window.tenant, window.key) for window in gone)
        else:
            values: list[Value] = []
            if not part.is_empty:
                ask = partial(run, connection, part.kpi, of, part.question, declared=known, kept=kept, shared=shared, ready=ready)
                values = await (ask() if shared is None else shared.figures(part.kpi, of, part.question, ask))
            sheet = sheet_of_values(part.kpi, dims, values)
        found.append((part, sheet))
    answers = joined(kpi, formula, windows, asked, found)
    return one_where_apart(answers, asked.by) if kpi.head.apart else answers


def scene(
    seen: Snapshot,
    kpis: Mapping[str, Kpi],
    windows: Sequence[Window],
    accounts: tuple[str, ...] | None,
    known: Mapping[int, Declared],
    kept: Kept,
    *,
    slow: Slow = nobody_slow,
) -> Scene:
    """What scores of some windows stand on; tenants that an own KPI is `slow` for are not asked for it."""

    async def ask(connection: Connection, kpi: Kpi, of: Sequence[Window], question: Question) -> list[Value]:
        asked = partial(run, connection, kpi, question=question, declared=known, kept=kept)
        return await unless_failed(asked, kpi, of, question, slow=slow(kpi)) if of else []

    async def read(connection: Connection, kpi: Kpi, of: Sequence[Window], question: Question) -> dict[Place, Figures]:
        _, there = by_expiry(kpi, of, kept)
        return await read_figures(connection, kpi, there, question, known) if there else {}

    async def read_at_once(
        connection: Connection, several: Sequence[Kpi], of: Sequence[Window], chosen: tuple[str, ...] | None
    ) -> list[dict[Place, Figures]]:
        # What is read at once is of the same facts, or of none: it expires at once, too.
        _, there = by_expiry(several[0], of, kept)
        return await read_together(connection, several, there, chosen, known) if there else [{} for _ in several]

    return Scene(seen, ask, read, read_at_once, kpis, windows, known, accounts)
