"""The values of a formula: rows of its operands joined by their dimensions, each evaluated from exact numbers.

An operand is asked for what the formula is asked for. One that lacks a dimension which another keeps apart (customers
have no currency, MRR has) gives the same figure to every row of it.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from service.catalog.kpi import MAIN, Formula, Kpi
from service.catalog.question import Question
from service.catalog.statistics import empty
from service.catalog.value import EXPIRED, MIXED, NO_DATA, Exact, Value, counted, decimal, row_text
from service.catalog.windows import Window, window_earlier
from service.domain.formula import Absent, Expression, Growth, Operand, Operation, Outcome, evaluate, operands, outcome_of
from service.domain.localtime import CalendarUnit

Place = tuple[int, Hashable]
"""Tenant and the key of a window."""
Row = tuple[str | None, ...]
"""A value a dimension, None where an operand does not have the dimension."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is asked of one KPI for a formula: one statement."""

    kpi: Kpi
    question: Question
    earlier: CalendarUnit | Literal[""]
    operands: tuple[Operand, ...]
    is_empty: bool = False
    """The filters of the question and those of the operand leave nothing."""

    def windows(self, windows: Sequence[Window]) -> list[Window]:
        """The windows that its figures are of, under the keys of those of the formula."""
        if not self.earlier:
            return list(windows)
        return [window_earlier(window, self.earlier, whole_days=self.kpi.head.whole_days) for window in windows]


def parts(formula: Formula, question: Question) -> list[Part]:
    """The questions that a formula's operands make, one for all statistics of the same rows."""
    groups: dict[Hashable, list[Operand]] = {}
    for operand in operands(formula.expression):
        selector = operand.selector
        groups.setdefault((selector.kpi, selector.key[2], operand.earlier), []).append(operand)
    return [_part(formula.kpis[group[0].selector.kpi], group, question) for group in groups.values()]


def _part(kpi: Kpi, group: Sequence[Operand], question: Question) -> Part:
    fixed = group[0].selector.where
    filters = {name: tuple(values) for name, values in question.filters.items() if kpi.splits_by(name)}
    for name, values in fixed.items():
        filters[name] = tuple(value for value in values if name not in filters or value in filters[name])
    statistics = tuple(dict.fromkeys(operand.selector.statistic or MAIN for operand in group))
    by = tuple(name for name in question.by if kpi.splits_by(name))
    asked = Question(by=by, filters=filters, statistics=statistics)
    return Part(kpi, asked, group[0].earlier, tuple(group), is_empty=not all(filters.values()))


def joined(
    kpi: Kpi, formula: Formula, windows: Sequence[Window], question: Question, found: Sequence[tuple[Part, Sequence[Value]]]
) -> list[Value]:
    """The values of a formula, of what came of its parts; without a split every window has one."""
    dims = (*question.by, *(name for name in kpi.head.apart if name not in question.by))
    sheets = [_sheet(part, values, dims) for part, values in found]
    of_operand = {operand: sheet for sheet in sheets for operand in sheet.part.operands}
    answers = []
    for window in windows:
        place = (window.tenant, window.key)
        if any(place in sheet.gone for sheet in sheets):
            answers.append(Value(window.tenant, window.key, MAIN, None, reason=EXPIRED))
            continue
        rows = _distinct([row for sheet in sheets for row in sheet.happened.get(place, ())])
        for row in rows or ([] if question.by else [(None,) * len(dims)]):
            shown = {name: value or "" for name, value in zip(dims, row, strict=True) if value or name in question.by}
            answers.append(_value(formula, window, shown, _Figures(of_operand, place, row), is_row=bool(rows)))
    return answers


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What came of a part: its values by window and row."""

    part: Part
    columns: tuple[int, ...]
    """Places among the formula's dimensions of those that the KPI has."""
    values: dict[tuple[Place, Row, str], Value] = field(default_factory=dict)
    happened: dict[Place, dict[Row, None]] = field(default_factory=dict)
    """Rows in which something happened, or that are declared."""
    gone: set[Place] = field(default_factory=set)
    """Windows that are finer than what is kept."""

    def at(self, place: Place, row: Row, statistic: str) -> Value | None:
        if len(self.columns) == len(row) and None not in row:
            return self.values.get((place, row, statistic))
        return self.values.get((place, tuple(row[column] or "" for column in self.columns), statistic))


def _sheet(part: Part, values: Iterable[Value], dims: Sequence[str]) -> _Sheet:
    made = _Sheet(part, tuple(column for column, name in enumerate(dims) if part.kpi.splits_by(name)))
    for value in values:
        place = (value.tenant, value.window)
        if value.reason == EXPIRED:
            made.gone.add(place)
        elif value.reason != MIXED:
            row = tuple(value.dims.get(dims[column], "") for column in made.columns)
            made.values[place, row, value.statistic] = value
            if value.row or value.dims:
                of_all = tuple(value.dims.get(name, "") if n in made.columns else None for n, name in enumerate(dims))
                made.happened.setdefault(place, {})[of_all] = None
    return made


def _distinct(rows: Sequence[Row]) -> list[Row]:
    """Each row once; one that lacks a dimension is no row of its own where others say more of the same."""
    unlike = dict.fromkeys(rows)
    lacking = {tuple(value is None for value in row) for row in unlike} - {(False,) * len(row) for row in unlike}
    covered = {
        pattern: {
            tuple(value for value, lacks in zip(row, pattern, strict=True) if not lacks)
            for row in unlike
            if sum(value is None for value in row) < sum(pattern)
        }
        for pattern in lacking
    }
    return [
        row
        for row in unlike
        if tuple(value for value in row if value is not None) not in covered.get(tuple(value is None for value in row), ())
    ]


@dataclass(frozen=True, slots=True)
class _Figures:
    """The exact figures of one row."""

    sheets: Mapping[Operand, _Sheet]
    place: Place
    row: Row
    notes: dict[str, None] = field(default_factory=dict)
    """What their statements say of them."""

    def of(self, operand: Operand) -> Outcome:
        sheet = self.sheets[operand]
        statistic = operand.selector.statistic or MAIN
        kpi, value = sheet.part.kpi, sheet.at(self.place, self.row, statistic)
        if value is None:
            figure = empty(kpi, statistic)
            value = Value(*self.place, statistic, figure.value, figure.numerator, figure.denominator, reason=NO_DATA)
        if value.note:
            self.notes[value.note] = None
        if value.value is None:
            return Absent(value.reason, f"{operand.selector} has no value")
        return exact_of(value, kind=kpi.statistics[statistic].kind)


def exact_of(value: Value, *, kind: str) -> Fraction:
    """The exact number of a figure that has a value: what it was made of, else (percentiles) the number that is shown."""
    over, under = value.numerator, value.denominator
    if over is None:
        return Fraction(value.value or 0)
    if kind == "count" or under is None:
        return Fraction(over)
    if isinstance(over, int) and isinstance(under, int):
        return Fraction(over, under)
    return Fraction(over) / Fraction(under)


def _value(formula: Formula, window: Window, dims: Mapping[str, str], figures: _Figures, *, is_row: bool) -> Value:
    result, *sides = _evaluated(formula.expression, figures)
    over, under = (None, None) if formula.kind == "count" else map(_shown, sides)
    shown: float | None = None
    if isinstance(result, Fraction):
        try:
            shown = counted(decimal(result)) if formula.kind == "count" else float(result)
        except OverflowError:
            result = Absent(NO_DATA, "the result is too large to be shown")
        else:
            over = decimal(result) if under is None else over
    reason, said = (result.reason or NO_DATA, [result.note]) if isinstance(result, Absent) else ("", [])
    note = "; ".join(dict.fromkeys([*said, *figures.notes]))
    return Value(window.tenant, window.key, MAIN, shown, over, under, dims, reason, note, row_text(dims) if is_row else "")


def _evaluated(expression: Expression, figures: _Figures) -> tuple[Outcome, Outcome | None, Outcome | None]:
    """What a formula comes to; and what it divides, and by what, where that is the last thing it does, else nothing."""
    match expression:
        case Operation("/"):
            left, right = evaluate(expression.left, figures.of), evaluate(expression.right, figures.of)
            return outcome_of(expression, left, right), left, right
        case Growth():
            result, now, before = evaluate(expression, figures.of), figures.of(expression.now), figures.of(expression.before)
            if isinstance(now, Absent) or isinstance(before, Absent):
                return result, None, None
            return result, now - before, abs(before)
        case _:
            return evaluate(expression, figures.of), None, None


def _shown(outcome: Outcome | None) -> Exact | None:
    return decimal(outcome) if isinstance(outcome, Fraction) else None
