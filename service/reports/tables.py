"""A report's tables: KPIs by the values of a dimension, by day, tracked items, incidents."""

from collections.abc import Mapping

import msgspec

from service.catalog import Value
from service.catalog.value import NO_DATA
from service.expose.moments import rfc3339
from service.lifecycle import side_by_side
from service.reports import layout
from service.reports.figures import Made, part
from service.reports.model import Cell, Figure, Grid
from service.reports.numbers import NO_VALUE, readable
from service.reports.reading import Named, Reader, day_name, days_of
from service.store import incidents, items

MAX_LISTED = 50


async def split(reader: Reader, ask: layout.Split) -> Made:
    """A line a value of the dimension, the greatest of the first column first."""
    named = [reader.named(each) for each in ask.selectors]
    columns = await side_by_side(reader.rows(each, ask.by, [reader.window]) for each in named)
    names = sorted({name for column in columns for name in column}, key=lambda name: (-_size(columns[0].get(name)), name))
    judged: list[Figure] = []
    rows: list[tuple[Cell, ...]] = []
    for name in names[: ask.top]:
        values = [_value(reader, each, {ask.by: name}, column.get(name)) for each, column in zip(named, columns, strict=True)]
        figures = [part(reader, each, value, by=ask.by) for each, value in zip(named, values, strict=True)]
        judged += figures
        rows.append((Cell(name or f"without {ask.by}"), *map(cell, figures)))
    if len(names) > ask.top:
        rows.append((Cell(f"and {len(names) - ask.top} more"), *(Cell("") for _ in columns)))
        # What is not shown may miss its target all the same.
        for each, column in zip(named, columns, strict=True):
            if reader.has_target(each):
                judged += [
                    part(reader, each, column[name][0], by=ask.by) for name in names[ask.top :] if 0 in column.get(name, ())
                ]
    titles = [each.title for each in named]
    return Made((Grid(ask.title, (ask.by, *titles), tuple(rows), f"No {ask.by} has anything in this window."),), tuple(judged))


async def daily(reader: Reader, ask: layout.Daily) -> Made:
    """A line a local day, each judged by what is declared of a day."""
    days, named = days_of(reader.window), [reader.named(each) for each in ask.selectors]
    found = await side_by_side(reader.values(each, days) for each in named)
    figures = [
        [
            msgspec.structs.replace(part(reader, each, values[place], window=day), of=day_name(day))
            for each, values in zip(named, found, strict=True)
        ]
        for place, day in enumerate(days)
    ]
    rows = [(Cell(day_name(day)), *map(cell, several)) for day, several in zip(days, figures, strict=True)]
    grid = Grid(ask.title, ("day", *(each.title for each in named)), tuple(rows))
    return Made((grid,), tuple(figure for several in figures for figure in several))


async def tracked(reader: Reader, ask: layout.Items) -> Grid:
    """Tracked items as they stand when the report is made; those that are closed where that happened in the window."""
    colours = reader.ground.config(reader.window).items.colours
    found: list[items.Item] = []
    for kind in ask.kinds:
        wanted = items.ItemSelection(kind=kind, statuses=list(ask.states), account=reader.account or None)
        async with reader.snapshot.connection() as connection:
            found += await items.page(connection, reader.ground.tenant, wanted, colours=colours, after=None, limit=MAX_LISTED)
    rows = tuple(
        (
            Cell(each.title or each.subject),
            Cell(each.kind),
            Cell(f"{each.status}, {each.colour}" if each.colour else each.status),
            Cell(each.owner),
            Cell(each.due),
        )
        for each in found
        if each.status != "closed" or reader.window.start_us <= each.changed_us < reader.window.end_us
    )
    return Grid(ask.title, ("what", "kind", "state", "owner", "due"), rows, "None is tracked.")


async def opened_incidents(reader: Reader, ask: layout.Incidents) -> Grid:
    """Incidents opened in the window, the gravest first; false positives left out."""
    chosen = incidents.Selection(start_us=reader.window.start_us, end_us=reader.window.end_us, account=reader.account or None)
    async with reader.snapshot.connection() as connection:
        found = await incidents.page(connection, reader.ground.tenant, chosen, after=None, limit=MAX_LISTED)
    rows = tuple(
        (
            Cell(each.severity or NO_VALUE),
            Cell(each.title or each.subject),
            Cell(each.service or ""),
            Cell(rfc3339(each.opened_us) or ""),
            Cell(_lasted(each), is_number=True),
        )
        for each in sorted(found, key=lambda each: (each.severity or "unknown", each.opened_us))
        if not each.false_positive
    )
    return Grid(ask.title, ("severity", "what", "service", "opened", "resolved after"), rows, "None was opened.")


def _lasted(incident: incidents.Incident) -> str:
    if incident.resolved_us is None:
        return "open"
    return readable((incident.resolved_us - incident.opened_us - incident.idle_us) / 1e6, "s")


def cell(figure: Figure) -> Cell:
    """A figure as a field of a grid: its status where it is judged, why it has no value, and what it misses."""
    status = None if figure.status == "none" else figure.status
    note = figure.note if figure.value is None else ""
    if status not in {None, "green"}:
        note = f"{figure.target}, limit {figure.limit}" if figure.limit else figure.target
    return Cell(figure.text, status, is_number=True, note=note)


def _value(reader: Reader, named: Named, dims: Mapping[str, str], found: Mapping[int, Value] | None) -> Value:
    """What there is; a count of nothing is 0, and of all else there is no value."""
    if found and 0 in found:
        return found[0]
    counted = 0.0 if named.kpi.statistics[named.statistic].kind == "count" else None
    return Value(reader.ground.tenant, 0, named.statistic, counted, dims=dims, reason="" if counted == 0 else NO_DATA)


def _size(found: dict[int, Value] | None) -> float:
    value = found.get(0) if found else None
    return value.value or 0.0 if value is not None else 0.0
