"""One KPI for one window: the whole, and a page of the rows that it is split into."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.catalog import Question, Value, Window, run
from service.catalog.paging import is_sliced, read_page
from service.catalog.question import ACCOUNT
from service.expose.answers import PLAIN, Body, judged, window_body, with_statistics
from service.expose.asking import Asked
from service.expose.comparing import CHANGE_COLUMNS, Compared, comparand_body, compared
from service.expose.cursors import write_cursor
from service.expose.ground import Ground
from service.expose.tables import FIGURE_COLUMNS, column_of
from service.store.engine import Connection
from service.store.snapshots import Snapshot

NOT_ADDED_UP = "not_added_up"
"""The whole has no value: what it is split by is never added up."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures come from: a connection, and where there are several of one snapshot, all of them, for scores."""

    connection: Connection
    seen: Snapshot | None = None


async def answer(source: Source, asked: Asked, ground: Ground) -> Body:
    """The body of an answer: the plain figure on top, all statistics beside it, the rows of a split below."""
    body: Body = {"kpi": asked.kpi.id, "title": asked.kpi.head.title, **await _whole(source, asked, ground)}
    body |= {"window": window_body(asked.window), "provisional": ground.is_provisional(asked.window)}
    if asked.question.filters:
        body["filters"] = asked.question.filters
    if asked.comparand is not None:
        body["compared_with"] = comparand_body(asked.comparand)
    rows, cursor = await _rows(source, asked, ground) if asked.question.by else ([], None)
    return body | {"rows": rows, "cursor": cursor}


def table(body: Body, by: Sequence[str]) -> tuple[list[str], list[dict[str, Any]]]:
    """The columns and lines of an answer: a line a row and statistic, or of the whole where nothing was split."""
    bounds = {"start": body["window"]["start"], "end": body["window"]["end"]}
    changes = CHANGE_COLUMNS if "compared_with" in body else ()
    lines = []
    for row in body["rows"] if by else [body]:
        dims = {column_of(name): value for name, value in row.get("dims", {}).items()}
        for name, figure in row.get("statistics", {row.get("statistic") or PLAIN: row}).items():
            shown = {each: figure.get(each) for each in FIGURE_COLUMNS}
            change = {each: (figure.get("change") or {}).get(each) for each in changes}
            lines.append({**dims, "statistic": name, **shown, **change, **bounds})
    split = [column_of(name) for name in by]
    apart = sorted({name for line in lines for name in line} - {*split, "statistic", *FIGURE_COLUMNS, *changes, *bounds})
    return [*split, *apart, "statistic", *FIGURE_COLUMNS, *changes, *bounds], lines


async def _whole(source: Source, asked: Asked, ground: Ground) -> Body:
    if any(len(asked.question.filters.get(name, ())) != 1 for name in asked.kpi.head.required):
        empty = dict.fromkeys((*FIGURE_COLUMNS,)) | {"status": "none", "reason": NOT_ADDED_UP}
        return with_statistics(dict.fromkeys(asked.statistics, empty), asked.statistics)
    values = await _run(source, asked, replace(asked.question, by=()), ground)
    other = await _other(source, asked, ground, by=())
    # Where units are kept apart and there are several, the first value says that they are not added up.
    first = {value.statistic: value for value in reversed(values)}
    return with_statistics({name: _judged(asked, value, ground, other) for name, value in first.items()}, asked.statistics)


async def _rows(source: Source, asked: Asked, ground: Ground) -> tuple[list[Body], str | None]:
    """A page of rows in their order, and the cursor to the next one."""
    question = replace(asked.question, after=asked.after)
    page = await read_page(
        source.connection,
        asked.kpi,
        asked.window,
        question,
        asked.limit,
        declared=ground.declared(asked.window),
        kept=ground.kept,
        seen=source.seen,
    )
    accounts = {values[0].dims.get(ACCOUNT, "") for _, values in page.rows}
    other = await _other(source, asked, ground, by=asked.question.by, accounts=accounts)
    bodies = [
        {
            "dims": values[0].dims,
            **with_statistics({each.statistic: _judged(asked, each, ground, other) for each in values}, asked.statistics),
        }
        for _, values in page.rows
        # Without dimensions or a note the window is finer than what is kept, and the whole says so.
        if values[0].dims or values[0].note
    ]
    return bodies, write_cursor(page.rows[-1][0]) if page.more else None


async def _other(
    source: Source, asked: Asked, ground: Ground, *, by: tuple[str, ...], accounts: Collection[str] = ()
) -> Compared | None:
    """The figures that those of the answer are compared with, of a page's accounts alone; None where nothing is compared."""
    if asked.comparand is None:
        return None
    window, question = asked.comparand.window, replace(asked.comparand.question, by=by)
    # What reads all accounts whatever is asked for would look each of its rows up in their names, from the first one on.
    if is_sliced(asked.kpi, question) and ACCOUNT not in question.filters:
        question = replace(question, filters={**question.filters, ACCOUNT: sorted(accounts)})
    values = await _run(source, asked, question, ground, window)
    return compared(asked.kpi, asked.window, asked.comparand, values)


async def _run(source: Source, asked: Asked, question: Question, ground: Ground, window: Window | None = None) -> list[Value]:
    of, declared = window or asked.window, ground.declared(window or asked.window)
    return await run(source.connection, asked.kpi, [of], question, declared=declared, kept=ground.kept, seen=source.seen)


def _judged(asked: Asked, value: Value, ground: Ground, other: Compared | None) -> Body:
    body = judged(asked.kpi, ground.config(asked.window), asked.window, value, asked.question)
    return body if other is None else body | {"change": other.body(value)}
