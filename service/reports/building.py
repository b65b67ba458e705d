"""Making a report: each ask of its layout becomes a block, from one snapshot of one tenant."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any
from zoneinfo import ZoneInfo

from service.catalog import Value, Window
from service.catalog.comparing import changed, part_before
from service.clock import to_datetime
from service.domain.targets import Status
from service.expose.answers import Body, unit_of
from service.expose.moments import rfc3339
from service.expose.portfolio import read_portfolio
from service.expose.scorecard_rows import scorecard_body
from service.lifecycle import side_by_side
from service.reports import funnels, layout, model, pictured, portfolio, tables
from service.reports.layout import Ask, Layout
from service.reports.model import Block, Cell, Figure, Figures, Grid, Prose, Report, Section
from service.reports.numbers import change_text, readable, target_text, trend_text
from service.reports.reading import Named, Reader

_READ: Mapping[type[Ask], Callable[[Reader, Any], Awaitable[Block]]] = {
    layout.Split: tables.split,
    layout.Daily: tables.daily,
    layout.Items: tables.tracked,
    layout.Incidents: tables.opened_incidents,
    layout.Trend: pictured.trend,
    layout.HeatMap: pictured.heat,
}
"""What is made of the figures alone."""
_WORST_FIRST: tuple[model.Status, ...] = ("red", "yellow", "green")


@dataclass(slots=True)
class Builder:
    """Makes the blocks of one report."""

    reader: Reader
    tenant: str
    notes: Mapping[str, str] = field(default_factory=dict)
    """Prose by the name of its blank."""
    _figures: dict[str, asyncio.Task[Figure]] = field(default_factory=dict)
    """By selector: each is asked for once."""
    _states: list[model.Status] = field(default_factory=list)
    """Of the scorecards."""
    _portfolio: asyncio.Task[Body] | None = None
    """Read once, whatever parts of it are shown."""

    async def report(self, made_of: Layout, *, made_at_us: int) -> Report:
        """The whole report, its blocks read side by side; raises NotFound for a KPI or scorecard that there is not."""
        window = self.reader.window
        made = iter(await side_by_side(self._blocks(ask, made_of) for each in made_of.chapters for ask in each.asks))
        sections = tuple(
            [Section(each.title, tuple(chain.from_iterable(islice(made, len(each.asks))))) for each in made_of.chapters]
        )
        return Report(
            name=made_of.name,
            title=made_of.title,
            tenant=self.tenant,
            account=self.reader.account,
            window=window.name,
            days=_days(window),
            start=rfc3339(window.start_us) or "",
            end=rfc3339(window.end_us) or "",
            timezone=window.zone,
            made_at=rfc3339(made_at_us) or "",
            state=next((status for status in _WORST_FIRST if status in self._states), "none"),
            provisional=self.reader.ground.is_provisional(window),
            sections=sections,
        )

    async def _blocks(self, ask: Ask, made_of: Layout) -> tuple[Block, ...]:
        if isinstance(ask, layout.Funnels):
            return await funnels.funnels(self.reader, ask)
        return (await self._block(ask, made_of),)

    async def _block(self, ask: Ask, made_of: Layout) -> Block:
        match ask:
            case layout.Kpis():
                return Figures(ask.title, await self._figures_of(ask.selectors))
            case layout.Scorecards():
                return await self._scorecards(ask)
            case layout.Misses():
                return await self._misses(ask, made_of)
            case layout.Blank():
                return Prose(ask.name, ask.prompt, self.notes.get(ask.name, ""))
            case layout.Portfolio():
                return portfolio.block(ask, await self._risks())
            case _:
                return await _READ[type(ask)](self.reader, ask)

    async def _figures_of(self, selectors: Iterable[str]) -> tuple[Figure, ...]:
        return tuple(await side_by_side(self._figure(each) for each in selectors))

    async def _figure(self, selector: str) -> Figure:
        if selector not in self._figures:
            self._figures[selector] = asyncio.create_task(self._read(selector))
        return await self._figures[selector]

    async def _read(self, selector: str) -> Figure:
        named = self.reader.named(selector)
        before = part_before(named.kpi, self.reader.window)
        values = await self.reader.values(named, (self.reader.window, before))
        return self._made(named, (values[0], self.reader.window), (values[1], before))

    def _made(self, named: Named, of_now: tuple[Value, Window], of_before: tuple[Value, Window]) -> Figure:
        now, before = of_now[0], of_before[0]
        moved = changed(named.kpi, named.statistic, of_now, of_before)
        judgement, unit = self.reader.judgement(named, now), unit_of(named.kpi, now)
        target = judgement.range if judgement.range is not None else judgement.target
        return Figure(
            selector=str(named.selector),
            title=_title(named),
            value=now.value,
            unit=unit,
            text=named.text(now),
            status=judgement.status.value,
            target=target_text(judgement.op, target, unit),
            before=named.text(before),
            change=change_text(now.value, before.value, unit),
            trend=trend_text(moved),
            note=now.note or now.reason.replace("_", " "),
        )

    async def _misses(self, ask: layout.Misses, made_of: Layout) -> Figures:
        """Every KPI of the report that is judged and does not meet its target, red before yellow."""
        asks = [each for chapter in made_of.chapters for each in chapter.asks if isinstance(each, layout.Kpis)]
        found = await self._figures_of(dict.fromkeys(one for ask in asks for one in ask.selectors))
        missed = [each for status in (Status.RED, Status.YELLOW) for each in found if each.status == status]
        return Figures(ask.title, tuple(missed), "Everything that is judged meets its target.")

    async def _risks(self) -> Body:
        if self._portfolio is None:
            self._portfolio = asyncio.create_task(self._read_risks())
        return await self._portfolio

    async def _read_risks(self) -> Body:
        reader = self.reader
        async with reader.snapshot.connection() as connection:
            read = await read_portfolio(connection, reader.catalog.kpis, reader.ground, reader.window)
        return read.body(limit=portfolio.MAX_CUSTOMERS)

    async def _scorecards(self, ask: layout.Scorecards) -> Grid:
        reader = self.reader
        rows: list[tuple[Cell, ...]] = []
        names = ask.names or tuple(reader.ground.config(reader.window).scorecards)
        bodies = await side_by_side(
            scorecard_body(reader.desk, reader.catalog, reader.ground, name, reader.window) for name in names
        )
        for name, body in zip(names, bodies, strict=True):
            self._states.append(body["state"])
            for row in body["rows"]:
                value, before = (Cell(readable(row[key], row["unit"]), is_number=True) for key in ("value", "before"))
                target = Cell(target_text(row["op"], row["target"], row["unit"]))
                title = _title(reader.named(row["row"]))
                rows.append((Cell(name), Cell(title), value, target, Cell(row["status"], row["status"]), before))
            share = Cell(readable(body["share_met"], "ratio"), is_number=True)
            rows.append((Cell(name), Cell("Targets met"), share, Cell(""), Cell(body["state"], body["state"]), Cell("")))
        columns = ("scorecard", "row", "value", "target", "status", "before")
        return Grid(ask.title, columns, tuple(rows), "No scorecard is declared: write one as [scorecard.NAME].")


def _days(window: Window) -> str:
    """The local days of a window as people write them."""
    zone = ZoneInfo(window.zone)
    first, last = (to_datetime(each).astimezone(zone) for each in (window.start_us, window.end_us - 1))
    return f"{first:%-d %B %Y}" if first.date() == last.date() else f"{first:%-d %B %Y} – {last:%-d %B %Y}"


def _title(named: Named) -> str:
    where = ", ".join(f"{key} {' '.join(values)}" for key, values in named.selector.where.items())
    return f"{named.title} ({where})" if where else named.title
