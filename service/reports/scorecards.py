"""A report's scorecards: their rows with all that they are judged by, how many are met, and the state of the critical ones."""

from collections.abc import Mapping
from typing import Any

from service.expose.scorecard_rows import scorecard_body
from service.lifecycle import side_by_side
from service.reports import layout
from service.reports.figures import Made, of_row
from service.reports.model import Cell, Figure, Grid
from service.reports.numbers import NO_VALUE, readable, target_text
from service.reports.reading import Reader

_COLUMNS = ("row", "value", "target", "limit", "status", "before", "change", "benchmark")


async def scorecards(reader: Reader, ask: layout.Scorecards) -> Made:
    """Every declared scorecard, or those that are named, of the report's account where it has one; raises NotFound."""
    names = ask.names or tuple(reader.ground.config(reader.window).scorecards)
    bodies = await side_by_side(
        scorecard_body(reader.desk, reader.catalog, reader.ground, name, reader.window, account=reader.account) for name in names
    )
    blocks: list[Grid] = []
    judged: list[Figure] = []
    for body in bodies:
        figures = [of_row(row, reader.named(row["row"])) for row in body["rows"]]
        rows = [_row(row, figure) for row, figure in zip(body["rows"], figures, strict=True)]
        blocks.append(Grid(f"{ask.title}: {body['name']}", _COLUMNS, (*rows, *_sums(body))))
        judged += figures
    nothing = Grid(ask.title, _COLUMNS, (), "No scorecard is declared: write one as [scorecard.NAME].")
    return Made(tuple(blocks) or (nothing,), tuple(judged), tuple(body["state"].value for body in bodies))


def _row(row: Mapping[str, Any], figure: Figure) -> tuple[Cell, ...]:
    return (
        Cell(figure.title, note=figure.note),
        Cell(figure.text, is_number=True),
        Cell(figure.target, is_number=True),
        Cell(figure.limit, is_number=True),
        Cell("not judged" if figure.status == "none" else figure.status, figure.status),
        Cell(figure.before, is_number=True),
        Cell(figure.change, note=figure.trend, is_number=True),
        Cell(target_text("", row["benchmark"], row["unit"]), is_number=True),
    )


def _sums(body: Mapping[str, Any]) -> list[tuple[Cell, ...]]:
    """The share of the judged rows that is met, and apart from it the state, which is of the critical rows alone."""
    share = f"{body['met']} of {body['judged']} ({readable(body['share_met'], 'ratio')})" if body["judged"] else NO_VALUE
    unjudged = len(body["unjudged_critical"])
    said = f"without {unjudged} that could not be judged" if unjudged else ""
    status = body["state"].value
    state = Cell("not judged" if status == "none" else status, status)
    return [
        (Cell("Targets met, of the rows that are judged"), Cell(share, is_number=True), *_blank(6)),
        (Cell("State: the worst of the critical rows, of all where none is", note=said), *_blank(3), state, *_blank(3)),
    ]


def _blank(n: int) -> list[Cell]:
    return [Cell("")] * n
