"""A report's pictures as data: a KPI over time, users a day by feature."""

from service.catalog import window_before
from service.expose.answers import unit_of
from service.reports import layout
from service.reports.model import Picture, Point
from service.reports.reading import Reader, day_name, days_of

MAX_FEATURES = 30
TOTAL = "user-days"
"""The column of a heat map that adds up each row."""


async def trend(reader: Reader, ask: layout.Trend) -> Picture:
    """The windows that end with the report's, oldest first, and the target where one is declared."""
    windows = [reader.window]
    while len(windows) < ask.windows:
        windows.append(window_before(windows[-1]))
    windows.reverse()
    named = reader.named(ask.selector)
    values = await reader.values(named, windows)
    points = tuple(Point(day_name(window), value.value) for window, value in zip(windows, values, strict=True))
    unit, target = unit_of(named.kpi, values[-1]), reader.judgement(named, values[-1]).target
    return Picture("lines", ask.title, points, unit, target)


async def heat(reader: Reader, ask: layout.HeatMap) -> Picture:
    """Users by feature and day, the features with most users first."""
    days = days_of(reader.window)
    rows = await reader.rows(reader.named("feature_users"), "feature", days)
    totals = {name: sum(value.value or 0.0 for value in row.values()) for name, row in rows.items()}
    shown = sorted(totals, key=lambda name: (-totals[name], name))[:MAX_FEATURES]
    points = [
        Point(day_name(day), rows[name][place].value or 0.0 if place in rows[name] else 0.0, name)
        for name in shown
        for place, day in enumerate(days)
    ]
    points += [Point(TOTAL, totals[name], name) for name in shown]
    return Picture("heat", ask.title, tuple(points), "users", total=TOTAL)
