"""One KPI step by step: every step is a window, and all of one configuration are asked for at once."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args

from starlette.datastructures import QueryParams

from service.catalog import Kpi, Value, Window
from service.catalog.statistics import empty
from service.catalog.value import EXPIRED, NO_DATA, grouped
from service.clock import HOUR, MINUTE
from service.domain.localtime import CalendarUnit, day_of, first_day, next_first_day, start_of_day_us
from service.errors import InvalidQuery
from service.expose.answers import PLAIN, Body, judged, with_statistics
from service.expose.asking import Asked, Asker, read_question, read_window
from service.expose.dated import run_dated
from service.expose.ground import Ground
from service.expose.moments import rfc3339
from service.expose.tables import FIGURE_COLUMNS, column_of
from service.settings import Settings
from service.store.engine import Connection
from service.store.snapshots import Snapshot

SHORT_STEPS = {"5m": 5 * MINUTE, "1h": HOUR}
DEFAULT_WINDOWS = {"5m": "24h", "1h": "7d", "1d": "30d", "week": "90d"}
"""How far a series reaches that says nothing of it; longer steps: a year."""
DAY_STEP = "1d"
STEPS = (*SHORT_STEPS, DAY_STEP, *(unit for unit in get_args(CalendarUnit) if unit != "day"))


@dataclass(frozen=True, slots=True)
class AskedSeries:
    """A question and the windows that it is asked of, in their order."""

    asked: Asked
    step: str
    windows: tuple[Window, ...]


def read_series(kpi: Kpi, parameters: QueryParams, asker: Asker, settings: Settings) -> AskedSeries:
    """Read a series' parameters; the bounds grow outwards to whole steps. Raises InvalidQuery."""
    step = parameters.get("step") or DAY_STEP
    if step not in STEPS:
        raise InvalidQuery("step", f"{step!r} is none of {' '.join(STEPS)}")
    name = "day" if step == DAY_STEP and not kpi.takes(DAY_STEP) else step
    if not kpi.takes(name):
        raise InvalidQuery(
            "step", f"{kpi.id} has no values of {step}: it has {' '.join(each for each in STEPS if kpi.takes(each))}"
        )
    for paged in ("limit", "cursor"):
        if paged in parameters:
            raise InvalidQuery(paged, "a series has no pages: shorten it, or filter what it is split by")
    if "compare" in parameters:
        raise InvalidQuery("compare", "a series is compared step by step already: ask for one window")
    whole = read_window(kpi, parameters, asker, settings, of_series=DEFAULT_WINDOWS.get(step, "year"))
    plain = QueryParams([pair for pair in parameters.multi_items() if pair[0] not in {"window", "start", "end", "step"}])
    asked = replace(read_question(kpi, plain, asker, settings), window=whole)
    windows: list[Window] = []
    for index, (start, end) in enumerate(_steps(whole, step)):
        if start >= asker.now_us and windows:
            break
        if index == settings.query_max_steps:
            raise InvalidQuery(
                "step", f"gives more than {settings.query_max_steps} steps: take a longer step, or a shorter window"
            )
        windows.append(Window(asker.tenant, index, start, end, max(start, min(end, asker.now_us)), asker.zone, name))
    return AskedSeries(asked, step, tuple(windows))


async def answer(
    connection: Connection, of: AskedSeries, ground: Ground, *, max_points: int, seen: Snapshot | None = None
) -> Body:
    """The body of an answer: points in their order, or where it is split, rows of points; `seen` as in `run`."""
    asked, windows = of.asked, of.windows
    first, last = windows[0], windows[-1]
    values = await run_dated(connection, asked.kpi, windows, asked.question, ground, seen)
    body: Body = {
        "kpi": asked.kpi.id,
        "title": asked.kpi.head.title,
        "step": of.step,
        "window": {"start": rfc3339(first.start_us), "end": rfc3339(last.end_us), "timezone": first.zone},
        "provisional": ground.is_provisional(last),
    }
    if asked.question.filters:
        body["filters"] = asked.question.filters
    if not asked.question.by:
        return body | {"points": _points(of, values, ground, frozenset())}
    gone = frozenset(value.window for value in values if value.reason == EXPIRED)
    groups = [group for group in sorted(grouped(values).items()) if group[1][0].dims or group[1][0].note]
    # What could not be told apart in a step is no 0 of the rows that it would have had.
    unknown = [value for value in values if value.note and value.value is None and len(value.dims) < len(of.asked.question.by)]
    if len(groups) * len(windows) > max_points:
        raise InvalidQuery("by", f"gives {len(groups)} rows of {len(windows)} points, more than {max_points} in all: filter them")
    return body | {
        "rows": [
            {"dims": group[0].dims, "points": _points(of, [*group, *_covering(unknown, group[0])], ground, gone)}
            for _, group in groups
        ]
    }


def _covering(unknown: list[Value], row: Value) -> list[Value]:
    """Those that stand for a row, too: of its dimensions they have some, and no others."""
    return [value for value in unknown if value.dims.items() <= row.dims.items()]


def table(body: Body, by: tuple[str, ...]) -> tuple[list[str], list[dict[str, Any]]]:
    """The columns and lines of a series: a line a point and statistic."""
    lines = [
        {
            "start": point["start"],
            "end": point["end"],
            **{column_of(each): value for each, value in row.get("dims", {}).items()},
            "statistic": name,
            **figure,
        }
        for row in body.get("rows", [body])
        for point in row["points"]
        for name, figure in point.get("statistics", {point.get("statistic") or PLAIN: point}).items()
    ]
    return ["start", "end", *map(column_of, by), "statistic", *FIGURE_COLUMNS], lines


def _points(of: AskedSeries, values: list[Value], ground: Ground, gone: frozenset[Hashable]) -> list[Body]:
    """A point for every window; `gone`: those that are finer than what is kept, whatever the row."""
    found: dict[Hashable, dict[str, Value]] = {}
    for value in values:
        found.setdefault(value.window, {}).setdefault(value.statistic, value)
    points = []
    for window in of.windows:
        there, bounds = found.get(window.key, {}), {"start": rfc3339(window.start_us), "end": rfc3339(window.end_us)}
        figures = {}
        for name in of.asked.statistics:
            value = there.get(name) or _absent(of.asked.kpi, window, name, is_gone=window.key in gone)
            figures[name] = judged(of.asked.kpi, ground.config(window), window, value, of.asked.question)
        points.append(bounds | {"provisional": ground.is_provisional(window)} | with_statistics(figures, of.asked.statistics))
    return points


def _absent(kpi: Kpi, window: Window, statistic: str, *, is_gone: bool) -> Value:
    """What a row has in a step in which nothing happened to it."""
    if is_gone:
        return Value(window.tenant, window.key, statistic, None, reason=EXPIRED)
    figure = empty(kpi, statistic)
    reason = NO_DATA if figure.value is None else ""
    return Value(window.tenant, window.key, statistic, figure.value, figure.numerator, figure.denominator, reason=reason)


def _steps(whole: Window, step: str) -> Iterator[tuple[int, int]]:
    """Bounds of the steps that cover a window; hours and minutes are counted from the local midnight."""
    zone = whole.zone
    if step in SHORT_STEPS:
        length = SHORT_STEPS[step]
        midnight = start_of_day_us(day_of(whole.start_us, zone), zone)
        start = midnight + (whole.start_us - midnight) // length * length
        while start < whole.end_us:
            yield start, start + length
            start += length
        return
    unit: CalendarUnit = "day" if step == DAY_STEP else step  # type: ignore[assignment]
    day = first_day(day_of(whole.start_us, zone), unit)
    while (start := start_of_day_us(day, zone)) < whole.end_us:
        day = next_first_day(day, unit)
        yield start, start_of_day_us(day, zone)
