"""A report's figures: one KPI, or a part of it, with what it is judged by and how it moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from service.catalog import Value, Window
from service.catalog.comparing import changed, part_before
from service.domain.selector import Selector
from service.domain.trend import Change
from service.expose.answers import unit_of
from service.reports.model import Block, Figure, Status
from service.reports.numbers import change_text, readable, target_text, trend_text
from service.reports.reading import Named, Reader


@dataclass(frozen=True, slots=True)
class Made:
    """What an ask became: its blocks, and what of them was judged."""

    blocks: tuple[Block, ...]
    judged: tuple[Figure, ...] = ()
    states: tuple[Status, ...] = ()
    """Of scorecards: the worst of their critical rows."""


async def read_figure(reader: Reader, named: Named) -> Figure:
    """A KPI of the report's window beside the window before."""
    before = part_before(named.kpi, reader.window)
    of_now, of_before = await reader.values(named, (reader.window, before))
    moved = changed(named.kpi, named.statistic, (of_now, reader.window), (of_before, before))
    unit = unit_of(named.kpi, of_now)
    return msgspec.structs.replace(
        part(reader, named, of_now),
        before=named.text(of_before),
        change=change_text(of_now.value, of_before.value, unit),
        trend=trend_text(moved),
    )


def part(reader: Reader, named: Named, value: Value, *, by: str = "", window: Window | None = None) -> Figure:
    """A value as it stands to its target: of a part by a dimension, or of another window, where these are named."""
    judgement, unit = reader.judgement(named, value, window=window), unit_of(named.kpi, value)
    is_range = judgement.range is not None
    where = {**named.selector.where, **({by: (value.dims[by],)} if by else {})}
    return Figure(
        selector=str(Selector(named.selector.kpi, named.selector.statistic, where)),
        title=titled(named.title, where),
        value=value.value,
        unit=unit,
        text=named.text(value),
        status=judgement.status.value,
        target=target_text(judgement.op, judgement.range if is_range else judgement.target, unit),
        limit=target_text(judgement.op, judgement.range_limit if is_range else judgement.limit, unit),
        note=note_of(value),
    )


def of_row(row: Mapping[str, Any], named: Named) -> Figure:
    """A row of a scorecard, as it is answered."""
    unit = row["unit"]
    return Figure(
        selector=row["row"],
        title=titled(named.title, named.selector.where),
        value=row["value"],
        unit=unit,
        text=readable(row["value"], unit),
        status=row["status"].value,
        target=target_text(row["op"], row["target"], unit),
        limit=target_text(row["op"], row["limit"], unit),
        before=readable(row["before"], unit),
        change=change_text(row["value"], row["before"], unit),
        trend=trend_text(Change(row["before"], row["absolute"], trend=row["trend"], verdict=row["verdict"], few=row["few"])),
        note=row["note"] or (_words(row["reason"]) if row["value"] is None and row["reason"] else ""),
    )


def titled(title: str, where: Mapping[str, Sequence[str]]) -> str:
    """A title with the part that is meant: `Incidents (severity P0 P1)`."""
    said = ", ".join(f"{key} {' '.join(values)}" for key, values in where.items())
    return f"{title} ({said})" if said else title


def note_of(value: Value) -> str:
    """What is said of a value beside it: how it is meant, or why there is none."""
    return value.note or _words(value.reason)


def _words(reason: str) -> str:
    return reason.replace("_", " ")
