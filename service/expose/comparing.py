"""`compare=`: any KPI against the window before, a period earlier, a fixed baseline, or another segment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import msgspec

from service.catalog import Kpi, Question, Value, Window, resolve_window
from service.catalog.comparing import changed, part_before
from service.catalog.statistics import empty
from service.catalog.value import row_text
from service.catalog.windows import window_earlier
from service.domain.formula import PERIODS
from service.domain.selector import parse_selector
from service.domain.trend import Change
from service.errors import InvalidQuery, InvalidText
from service.expose.answers import window_body

BEFORE = "before"
CHANGE_COLUMNS = ("before", "absolute", "points", "relative", "trend", "verdict", "test", "p", "few")
"""Of a change, as a table shows it."""
_FORMS = f"write {BEFORE}, {', '.join(PERIODS)}, two dates as 2025-09-01/2025-10-01, or a segment as {{account=acme}}"


@dataclass(frozen=True, slots=True)
class Comparand:
    """What a question is compared with: the same of another window, or of another segment."""

    window: Window
    question: Question


def read_comparand(kpi: Kpi, text: str, window: Window, question: Question, bounds: Sequence[int | None]) -> Comparand:
    """Read `compare=`; `bounds` are the instants of a baseline, where it is one. Raises InvalidQuery."""
    if text == BEFORE:
        return Comparand(part_before(kpi, window), question)
    if text in PERIODS:
        return Comparand(window_earlier(window, text, whole_days=kpi.head.whole_days), question)
    if "=" in text:
        return Comparand(window, replace(question, filters={**question.filters, **_segment(kpi, text)}))
    if len(bounds) == 2 and None not in bounds and kpi.head.custom:  # noqa: PLR2004  # a beginning and an end
        start_us, end_us = cast("tuple[int, int]", tuple(bounds))
        baseline = resolve_window(
            window.tenant,
            window.zone,
            now_us=end_us,
            start_us=start_us,
            end_us=end_us,
            whole_days=kpi.head.whole_days,
            key=window.key,
        )
        return Comparand(baseline, question)
    raise InvalidQuery("compare", f"{text!r} is nothing to compare with: {_FORMS}")


def _segment(kpi: Kpi, text: str) -> Mapping[str, tuple[str, ...]]:
    braced = text if text.startswith("{") else f"{{{text}}}"
    try:
        where = parse_selector(kpi.id + braced).where
    except InvalidText as error:
        raise InvalidQuery("compare", str(error)) from error
    for name in where:
        if not kpi.splits_by(name):
            known = ", ".join(kpi.head.dimensions) or "none"
            raise InvalidQuery("compare", f"{kpi.id} has no dimension {name!r}: it has {known}")
    return where


@dataclass(frozen=True, slots=True)
class Compared:
    """The figures of a comparand, by row and statistic."""

    kpi: Kpi
    window: Window
    other: Window
    values: Mapping[tuple[str, str], Value]

    def body(self, value: Value) -> dict[str, Any]:
        """What became of a figure, as JSON shows it; a row that the other side lacks had nothing happen."""
        key = row_text(value.dims), value.statistic
        figure = empty(self.kpi, value.statistic)
        nothing = Value(value.tenant, value.window, value.statistic, figure.value, figure.numerator, figure.denominator)
        other = self.values.get(key, nothing)
        return change_body(changed(self.kpi, value.statistic, (value, self.window), (other, self.other)))


def compared(kpi: Kpi, window: Window, comparand: Comparand, values: Sequence[Value]) -> Compared:
    """Of the values that the comparand's question gave."""
    found = {(row_text(value.dims), value.statistic): value for value in values}
    return Compared(kpi, window, comparand.window, found)


def change_body(of: Change) -> dict[str, Any]:
    """A change as JSON shows it."""
    return cast("dict[str, Any]", msgspec.to_builtins(of))


def comparand_body(comparand: Comparand) -> dict[str, Any]:
    """The bounds that were taken, and the filters."""
    return {"window": window_body(comparand.window), "filters": dict(comparand.question.filters) or None}
