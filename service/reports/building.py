"""Making a report: each ask of its layout becomes blocks, from one snapshot of one tenant; what misses its target comes last."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any
from zoneinfo import ZoneInfo

from service.catalog import Window
from service.clock import to_datetime
from service.expose.answers import Body
from service.expose.moments import rfc3339
from service.expose.portfolio import read_portfolio
from service.lifecycle import side_by_side
from service.reports import funnels, layout, model, pictured, portfolio, scorecards, standing, support, tables
from service.reports.figures import Made, read_figure
from service.reports.layout import Ask, Layout
from service.reports.misses import misses
from service.reports.model import Block, Figure, Figures, Prose, Report, Section
from service.reports.reading import Reader
from service.reports.standing import Standing

_READ: Mapping[type[Ask], Callable[[Reader, Any], Awaitable[Block]]] = {
    layout.Items: tables.tracked,
    layout.Incidents: tables.opened_incidents,
    layout.SupportMisses: support.support_misses,
    layout.Trend: pictured.trend,
    layout.HeatMap: pictured.heat,
}
"""What is made of the figures alone."""
_JUDGED: Mapping[type[Ask], Callable[[Reader, Any], Awaitable[Made]]] = {
    layout.Split: tables.split,
    layout.Daily: tables.daily,
    layout.Scorecards: scorecards.scorecards,
    layout.Attainment: support.attainment,
}
"""What is judged as well."""
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
    _portfolio: asyncio.Task[Body] | None = None
    """Read once, whatever parts of it are shown."""
    _standing: asyncio.Task[Standing] | None = None
    """The same."""

    async def report(self, made_of: Layout, *, made_at_us: int) -> Report:
        """The whole report, its blocks read side by side; raises NotFound for a KPI or scorecard that there is not."""
        window, asks = self.reader.window, [ask for each in made_of.chapters for ask in each.asks]
        made = await side_by_side(self._made(ask, made_of) for ask in asks)
        # What was compared with the window before tells more than the same in a split.
        judged = sorted((figure for each in made for figure in each.judged), key=lambda figure: not figure.before)
        blocks = iter(
            (misses(ask.title, judged),) if isinstance(ask, layout.Misses) else each.blocks
            for ask, each in zip(asks, made, strict=True)
        )
        sections = tuple(
            [Section(each.title, tuple(chain.from_iterable(islice(blocks, len(each.asks))))) for each in made_of.chapters]
        )
        states = {state for each in made for state in each.states}
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
            state=next((status for status in _WORST_FIRST if status in states), "none"),
            provisional=self.reader.ground.is_provisional(window),
            sections=sections,
        )

    async def _made(self, ask: Ask, made_of: Layout) -> Made:
        match ask:
            case layout.Misses():
                return Made(())  # once all else is there
            case layout.Kpis():
                figures = tuple(await side_by_side(self._figure(each) for each in ask.selectors))
                return Made((Figures(ask.title, figures),), figures)
            case layout.Split() | layout.Daily() | layout.Scorecards() | layout.Attainment():
                return await _JUDGED[type(ask)](self.reader, ask)
            case layout.Funnels():
                return Made(await funnels.funnels(self.reader, ask))
            case _:
                return Made((await self._block(ask, made_of),))

    async def _block(self, ask: Ask, made_of: Layout) -> Block:
        match ask:
            case layout.Blank():
                return Prose(ask.name, ask.prompt, self.notes.get(ask.name, ""))
            case layout.Portfolio():
                return portfolio.block(ask, await self._risks())
            case layout.Decision():
                return standing.decision(ask, await self._stands(made_of))
            case layout.Health():
                return standing.health_grid(ask, await self._stands(made_of))
            case layout.Risk():
                return standing.risk_grid(ask, await self._stands(made_of), self.reader.account)
            case _:
                return await _READ[type(ask)](self.reader, ask)

    async def _figure(self, selector: str) -> Figure:
        if selector not in self._figures:
            self._figures[selector] = asyncio.create_task(read_figure(self.reader, self.reader.named(selector)))
        return await self._figures[selector]

    async def _stands(self, made_of: Layout) -> Standing:
        if self._standing is None:
            with_risk = any(isinstance(ask, layout.Risk) for each in made_of.chapters for ask in each.asks)
            self._standing = asyncio.create_task(standing.read_standing(self.reader, with_risk=with_risk))
        return await self._standing

    async def _risks(self) -> Body:
        if self._portfolio is None:
            self._portfolio = asyncio.create_task(self._read_risks())
        return await self._portfolio

    async def _read_risks(self) -> Body:
        reader = self.reader
        read = await read_portfolio(reader.snapshot, reader.catalog.kpis, reader.ground, reader.window)
        return read.body(limit=portfolio.MAX_CUSTOMERS)


def _days(window: Window) -> str:
    """The local days of a window as people write them."""
    zone = ZoneInfo(window.zone)
    first, last = (to_datetime(each).astimezone(zone) for each in (window.start_us, window.end_us - 1))
    return f"{first:%-d %B %Y}" if first.date() == last.date() else f"{first:%-d %B %Y} – {last:%-d %B %Y}"
