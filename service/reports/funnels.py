"""A report's funnels: of each its steps as bars, accounts and users apart, and a table of what came how far."""

from collections.abc import Mapping

from service.catalog import Value
from service.domain.config.milestones import Funnel, Step
from service.reports import layout
from service.reports.model import Block, Cell, Grid, Picture, Point, Status
from service.reports.numbers import NO_VALUE, readable
from service.reports.reading import Named, Reader

_COLUMNS = ("step", "of", "count", "share of its base", "share of the first", "drop")
_Found = Mapping[tuple[str, str, str], Value]
"""By funnel, step and statistic."""


async def funnels(reader: Reader, ask: layout.Funnels) -> tuple[Block, ...]:
    """The declared funnels in their order: pictures and a table each."""
    named = [reader.named(each) for each in ("funnel", "funnel.share", "funnel.of_first", "funnel.drop")]
    statistics = tuple(each.statistic for each in named)
    values = await reader.split(named[0], ("funnel", "step"), statistics)
    found = {(value.dims["funnel"], value.dims["step"], value.statistic): value for value in values}
    blocks: list[Block] = []
    for funnel in reader.ground.config(reader.window).funnels:
        title = f"{ask.title} {funnel.name}"
        blocks += [_picture(funnel, title, whose, found) for whose in dict.fromkeys(map(_whose, funnel.steps))]
        blocks.append(_table(reader, funnel, title, named, found))
    return tuple(blocks) or (Grid(ask.title, _COLUMNS, (), "No funnel is declared: write one as [[funnel]]."),)


def _picture(funnel: Funnel, title: str, whose: str, found: _Found) -> Picture:
    """How many came to each of the steps that count accounts, or users: they share no scale."""
    steps = [step.name for step in funnel.steps if _whose(step) == whose]
    points = tuple(Point(step, value.value if (value := found.get((funnel.name, step, ""))) else None) for step in steps)
    return Picture("bars", f"{title}: {whose}", points, whose)


def _table(reader: Reader, funnel: Funnel, title: str, named: list[Named], found: _Found) -> Grid:
    rows = []
    for step in funnel.steps:
        cells = [_cell(reader, each, found.get((funnel.name, step.name, each.statistic)), _whose(step)) for each in named]
        if step.base is None:  # it is of itself: that it lost nothing would say nothing
            cells[1] = cells[3] = Cell(NO_VALUE, is_number=True)
        rows.append((Cell(step.name), Cell(step.base or ""), *cells))
    return Grid(f"{title}: steps", _COLUMNS, tuple(rows))


def _cell(reader: Reader, named: Named, value: Value | None, whose: str) -> Cell:
    if value is None:
        return Cell(NO_VALUE, is_number=True)
    status: Status = reader.judgement(named, value).status.value
    text = named.text(value) if named.statistic else readable(value.value, whose)
    return Cell(text, None if status == "none" else status, is_number=True)


def _whose(step: Step) -> str:
    return "users" if step.accounts is None else "accounts"
