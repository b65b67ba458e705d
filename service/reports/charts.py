"""A report's pictures as SVG: described by altair (Vega-Lite), drawn by vl-convert without a browser or a network."""

import json
from collections.abc import Sequence
from math import ceil, floor
from typing import Any

import altair as alt
import vl_convert

from service.reports.model import Picture
from service.reports.numbers import Scale, readable, scale_of

INK = "#1f2933"
BLUE = "#2563ab"
RED = "#b42318"
WIDTH = 620
ROW_HEIGHT = 26
LINE_HEIGHT = 180
TICKS = 5
LABEL_HEIGHT = 14
"""Of the second line of a label: Vega lets it hang down."""
PADDING = {"left": 24, "right": 24, "top": 6, "bottom": 6}
"""Room for labels whose font here is wider than the one that the picture was measured with."""
_FONT = "Inter, Helvetica, Arial, sans-serif"


def to_svg(picture: Picture) -> str:
    """The picture; "" where it has no points."""
    if not any(point.y is not None for point in picture.points):
        return ""
    match picture.kind:
        case "bars":
            chart = _bars(picture)
        case "heat":
            chart = _heat(picture)
        case "lines":
            chart = _lines(picture)
    styled = chart.configure(font=_FONT, background="transparent", padding=PADDING).configure_view(stroke=None)
    return vl_convert.vegalite_to_svg(styled.to_json())


def _data(picture: Picture, size: float = 1.0, unit: str = "") -> Any:
    """The points: their heights in units of `size`, and their values as people read them."""
    values = [
        {
            "x": point.x,
            "y": None if point.y is None else point.y / size,
            "text": "" if point.y is None else readable(point.y, unit),
            "series": point.series,
        }
        for point in picture.points
    ]
    return alt.InlineData(values=values)


def _order(picture: Picture) -> list[str]:
    return list(dict.fromkeys(point.x for point in picture.points))


def _bars(picture: Picture) -> Any:
    steps = _order(picture)
    base = alt.Chart(_data(picture, unit=picture.unit)).encode(
        y=alt.Y("x:N", sort=steps, title=None, axis=alt.Axis(labelLimit=220, ticks=False, domain=False)),
        x=alt.X("y:Q", title=None, axis=None),
    )
    bars = base.mark_bar(color=BLUE, height={"band": 0.75})
    labels = base.mark_text(align="left", dx=4, color=INK).encode(text=alt.Text("text:N"))
    return (bars + labels).properties(width=WIDTH - 200, height=ROW_HEIGHT * len(steps))


def _heat(picture: Picture) -> Any:
    rows = list(dict.fromkeys(point.series for point in picture.points))
    most = max((point.y or 0.0 for point in picture.points if point.x != picture.total), default=0.0)
    is_cell = alt.datum.x != picture.total
    base = alt.Chart(_data(picture)).encode(
        x=alt.X("x:N", sort=_order(picture), title=None, axis=_days_above()),
        y=alt.Y("series:N", sort=rows, title=None, axis=alt.Axis(labelLimit=180, ticks=False, domain=False)),
    )
    cells = (
        base.transform_filter(is_cell)
        .mark_rect(stroke="white")
        .encode(color=alt.Color("y:Q", legend=None, scale=alt.Scale(scheme="blues", domain=[0, max(most, 1.0)])))
    )
    dark = (alt.datum.y > most * 0.6) & is_cell
    numbers = base.mark_text(fontSize=11).encode(
        text=alt.Text("text:N"), color=alt.condition(dark, alt.value("white"), alt.value(INK))
    )
    return (cells + numbers).properties(width=WIDTH - 160, height=ROW_HEIGHT * len(rows))


def _days_above() -> Any:
    """Names of columns, the weekday above the day: side by side they run into each other."""
    at = "indexof(datum.label, ' ')"
    parts = f"[substring(datum.label, 0, {at}), substring(datum.label, {at} + 1)]"
    shown = f"{at} > 0 ? {parts} : ['', datum.label]"
    return alt.Axis(orient="top", labelAngle=0, ticks=False, domain=False, labelExpr=shown, labelPadding=LABEL_HEIGHT)


def _lines(picture: Picture) -> Any:
    heights = [height for height in (*(point.y for point in picture.points), picture.target) if height is not None]
    scale = scale_of(picture.unit, max(map(abs, heights)))
    base = alt.Chart(_data(picture, scale.size)).encode(
        x=alt.X("x:N", sort=_order(picture), title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        y=alt.Y("y:Q", title=None, scale=alt.Scale(zero=False, nice=True), axis=_axis(scale, heights)),
    )
    layers = [base.mark_line(color=BLUE, strokeWidth=2), base.mark_circle(color=BLUE, size=36)]
    if picture.target is not None:
        named = {"target": picture.target / scale.size, "name": f"target {readable(picture.target, picture.unit)}"}
        rule = alt.Chart(alt.InlineData(values=[named])).encode(y="target:Q")
        layers.append(rule.mark_rule(color=RED, strokeDash=[5, 4]))
        layers.append(rule.mark_text(color=RED, align="left", dy=-6, x=4).encode(text="name:N"))
    return alt.layer(*layers).properties(width=WIDTH - 80, height=LINE_HEIGHT)


def _axis(scale: Scale, heights: Sequence[float]) -> Any:
    """Numbers in full with their unit: d3's `~f` has no exponents, and leaves out zeros that say nothing."""
    one, unit = (json.dumps(f" {name}") for name in (scale.one, scale.unit))
    shown = f" + (datum.value === 1 ? {one} : {unit})" if scale.unit else ""
    low, high = floor(min(heights)), ceil(max(heights))
    # Between two users there is none, but Vega would draw a tick there.
    ticks = {"values": list(range(low, high + 1))} if scale.is_counted and high - low <= TICKS else {"tickCount": TICKS}
    return alt.Axis(labelExpr=f"format(datum.value, ',.{scale.decimals}~f'){shown}", labelLimit=240, **ticks)
