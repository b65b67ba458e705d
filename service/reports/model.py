"""A report as data: sections of blocks, free of how they look; it is stored frozen in this form and rendered from it."""

from typing import Literal

import msgspec

Status = Literal["green", "yellow", "orange", "red", "none"]
"""Of what is judged; `orange` is a band of risk."""


class Cell(msgspec.Struct, frozen=True, omit_defaults=True):
    """One field of a grid."""

    text: str
    status: Status | None = None
    """Shown as a badge with its word; None: the cell is not judged."""
    is_number: bool = False
    note: str = ""
    """What is said beside it, in small: why there is no value, how one is meant."""


class Figure(msgspec.Struct, frozen=True, omit_defaults=True):
    """One KPI with what it is judged by and how it moved."""

    selector: str
    title: str
    value: float | None
    """In the KPI's unit; None: there is none, and `note` says why."""
    unit: str
    text: str
    """The value as people read it."""
    status: Status
    target: str = ""
    before: str = ""
    change: str = ""
    trend: str = ""
    """`better`, `worse`, `stable` …, and where few are counted that they are; "" where nothing can be said."""
    note: str = ""
    limit: str = ""
    """What a value that misses its target has to meet to be yellow; "" where there is no such limit."""
    of: str = ""
    """The day that it is of; "" where it is of the report's window."""


class Figures(msgspec.Struct, frozen=True, tag="figures", omit_defaults=True):
    """KPIs, a line each; where there is none, it says `empty` instead."""

    title: str
    rows: tuple[Figure, ...]
    empty: str = "Nothing to show."
    note: str = ""
    """Said below them."""


class Grid(msgspec.Struct, frozen=True, tag="grid", omit_defaults=True):
    """A table; an empty one says `empty` instead."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = "Nothing to show."


class Point(msgspec.Struct, frozen=True, omit_defaults=True):
    """A value of a picture."""

    x: str
    y: float | None
    series: str = ""


class Picture(msgspec.Struct, frozen=True, tag="picture", omit_defaults=True):
    """A picture: bars (a funnel), a heat map of `series` by x, or lines over time."""

    kind: Literal["bars", "heat", "lines"]
    title: str
    points: tuple[Point, ...]
    unit: str = ""
    target: float | None = None
    """A line at this height."""
    total: str = ""
    """Of a heat map: the x of the column that adds each row up; "": there is none."""


class Prose(msgspec.Struct, frozen=True, tag="prose", omit_defaults=True):
    """A named blank: what no figure says. A stored note of this name fills it."""

    name: str
    prompt: str
    text: str = ""


Block = Figures | Grid | Picture | Prose


class Section(msgspec.Struct, frozen=True):
    """A chapter of a report."""

    title: str
    blocks: tuple[Block, ...]


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """A report of one tenant (or of one of its accounts) for one window."""

    name: str
    title: str
    tenant: str
    window: str
    """Its name; "": bounds of the asker's own."""
    days: str
    """Its local days as people write them."""
    start: str
    end: str
    """RFC 3339; the end is not included."""
    timezone: str
    made_at: str
    sections: tuple[Section, ...]
    state: Status = "none"
    """The overall state: the worst of the scorecards' critical rows."""
    account: str = ""
    provisional: bool = False
    """The window was open when it was made: events may still have been on their way."""


def encode(report: Report) -> bytes:
    """The JSON that `decode` reads back."""
    return msgspec.json.encode(report)


def decode(text: bytes | str) -> Report:
    """Read what `encode` wrote."""
    return msgspec.json.decode(text, type=Report)
