"""The pilot week's figures as tables for a terminal."""

from datetime import date, timedelta
from typing import Any

from rich.table import Table

from service.demo.client import Client

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
STYLES = {"green": "green", "yellow": "yellow", "red": "bold red", "none": "dim"}
DAILY: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("active users", "dau", {}),
    ("requests", "requests", {}),
    ("errors", "error_rate", {"field": "numerator"}),
    ("mean latency, ms", "request_latency", {"stat": "mean"}),
    ("availability", "availability", {}),
)


def scorecard(body: dict[str, Any]) -> Table:
    """A scorecard with its rows' targets and status."""
    share = body["share_met"]
    table = Table(
        title=f"Scorecard: {body['met']} of {body['judged']} met ({0 if share is None else share:.0%}), overall {body['state']}"
    )
    for name in ("row", "target", "limit", "actual", "before", "unit", "status"):
        table.add_column(name, justify="left" if name in {"row", "unit", "status"} else "right", overflow="fold")
    for row in body["rows"]:
        unit = row["unit"]
        target = f"{row['op']} {_number(row['target'], unit)}" if row["op"] else ""
        figures = (_number(row[name], unit) for name in ("limit", "value", "before"))
        table.add_row(
            row["row"], target, *figures, "" if unit == "ratio" else unit, f"[{STYLES[row['status']]}]{row['status']}[/]"
        )
    return table


def daily(client: Client, monday: date) -> Table:
    """The days of a week, a column each."""
    table = _of_days("day", title="Day by day")
    bounds = {"start": f"{monday}T00:00:00Z", "end": f"{monday + timedelta(days=len(DAYS))}T00:00:00Z", "step": "1d"}
    for title, kpi, how in DAILY:
        parameters = {name: value for name, value in how.items() if name != "field"}
        points = client.get(f"/v1/kpis/{kpi}/series", **bounds, **parameters)["points"]
        field = how.get("field", "value")
        table.add_row(title, *(_number(point[field], point["unit"] if field == "value" else "") for point in points))
    return table


def heat_map(body: dict[str, Any]) -> Table:
    """Users per feature and weekday, darker where there are more."""
    cells = {(row["dims"]["feature"], row["dims"]["weekday"]): row["value"] for row in body["rows"] if "weekday" in row["dims"]}
    most = max(cells.values(), default=0) or 1
    totals: dict[str, float] = {}
    for (feature, _), value in cells.items():
        totals[feature] = totals.get(feature, 0) + value
    table = _of_days("feature", title="Users per feature and day")
    table.add_column("user-days", justify="right")
    for feature in sorted(totals, key=lambda name: (-totals[name], name)):
        values = [cells.get((feature, str(number)), 0) for number in range(1, 8)]
        table.add_row(feature, *(_shaded(value, most) for value in values), _number(totals[feature]))
    return table


def _of_days(first: str, *, title: str) -> Table:
    table = Table(first, title=title)
    for day in DAYS:
        table.add_column(day, justify="right")
    return table


def _shaded(value: float, most: float) -> str:
    if not value:
        return "[dim]·[/] "
    level = 60 + round(150 * value / most)
    return f"[black on rgb(60,{level},120)] {_number(value):>3} [/]"


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return "-"
    if unit == "ratio":
        return f"{value:.2%}"
    whole = float(value).is_integer()
    return f"{value:,.0f}" if whole else f"{value:,.2f}"
