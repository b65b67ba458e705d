"""One KPI for one window: the whole, and a page of the rows that it is split into."""

from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

from service.catalog import Kpi, Question, Value, run
from service.catalog.kpi import MAIN
from service.expose.answers import PLAIN, Body, grouped, judged, row_text, window_body, with_statistics
from service.expose.asking import Asked
from service.expose.cursors import write_cursor
from service.expose.ground import Ground
from service.expose.tables import FIGURE_COLUMNS
from service.store.engine import Connection

NOT_ADDED_UP = "not_added_up"
"""The whole has no value: what it is split by is never added up."""


async def answer(connection: Connection, asked: Asked, ground: Ground) -> Body:
    """The body of an answer: the plain figure on top, all statistics beside it, the rows of a split below."""
    body: Body = {"kpi": asked.kpi.id, "title": asked.kpi.head.title, **await _whole(connection, asked, ground)}
    body |= {"window": window_body(asked.window), "provisional": ground.is_provisional(asked.window)}
    if asked.question.filters:
        body["filters"] = asked.question.filters
    rows, cursor = await _rows(connection, asked, ground) if asked.question.by else ([], None)
    return body | {"rows": rows, "cursor": cursor}


def table(body: Body, by: Sequence[str]) -> tuple[list[str], list[dict[str, Any]]]:
    """The columns and lines of an answer: a line a row and statistic, or of the whole where nothing was split."""
    bounds = {"start": body["window"]["start"], "end": body["window"]["end"]}
    lines = []
    for row in body["rows"] if by else [body]:
        dims = row.get("dims", {})
        for name, figure in row.get("statistics", {row.get("statistic") or PLAIN: row}).items():
            lines.append({**dims, "statistic": name, **{each: figure.get(each) for each in FIGURE_COLUMNS}, **bounds})
    apart = sorted({name for line in lines for name in line} - {*by, "statistic", *FIGURE_COLUMNS, *bounds})
    return [*by, *apart, "statistic", *FIGURE_COLUMNS, *bounds], lines


async def _whole(connection: Connection, asked: Asked, ground: Ground) -> Body:
    if any(len(asked.question.filters.get(name, ())) != 1 for name in asked.kpi.head.required):
        empty = dict.fromkeys((*FIGURE_COLUMNS,)) | {"status": "none", "reason": NOT_ADDED_UP}
        return with_statistics(dict.fromkeys(asked.statistics, empty), asked.statistics)
    values = await _run(connection, asked, replace(asked.question, by=()), ground)
    # Where units are kept apart and there are several, the first value says that they are not added up.
    first = {value.statistic: value for value in reversed(values)}
    return with_statistics({name: _judged(asked, value, ground) for name, value in first.items()}, asked.statistics)


async def _rows(connection: Connection, asked: Asked, ground: Ground) -> tuple[list[Body], str | None]:
    """A page of rows in the order of their text, and the cursor to the next one."""
    if asked.kpi.head.declared or asked.kpi.head.apart:
        # Rows that the statement does not give, declared names without data and what is in several units, have
        # their place among the others: the rows are taken whole and cut here.
        found = grouped(await _run(connection, asked, asked.question, ground)).values()
        placed = sorted(((_place(asked, values), values) for values in found), key=itemgetter(0))
        groups = [group for group in placed if asked.after is None or group[0] > asked.after]
    else:
        rows_each = 1 if asked.kpi.head.kind in {"distribution", "durations"} else len(_of_file(asked.kpi))
        page = replace(asked.question, rows=(asked.limit + 1) * rows_each, after=asked.after)
        groups = list(grouped(await _run(connection, asked, page, ground)).items())
    bodies = [
        {
            "dims": values[0].dims,
            **with_statistics({each.statistic: _judged(asked, each, ground) for each in values}, asked.statistics),
        }
        for _, values in groups[: asked.limit]
        if values[0].dims  # without: the window is finer than what is kept, and the whole says so
    ]
    more = len(groups) > asked.limit
    return bodies, write_cursor(groups[asked.limit - 1][0]) if more else None


def _place(asked: Asked, values: Sequence[Value]) -> str:
    """Where a row stands, once in an answer: by its dimensions, before its units what says that there are several."""
    first = values[0]
    apart = first.row if asked.kpi.head.apart else ""
    return row_text({name: first.dims[name] for name in asked.question.by if name in first.dims}) + apart


async def _run(connection: Connection, asked: Asked, question: Question, ground: Ground) -> list[Value]:
    return await run(connection, asked.kpi, [asked.window], question, declared=ground.declared(asked.window), kept=ground.kept)


def _judged(asked: Asked, value: Value, ground: Ground) -> Body:
    filters = asked.question.filters
    return judged(asked.kpi, ground.config(asked.window), asked.window, value, filters)


def _of_file(kpi: Kpi) -> tuple[str, ...]:
    """The statistics that a file may give a row each; rates are made of them."""
    return (MAIN, *(name for name, statistic in kpi.head.statistics.items() if not statistic.per))
