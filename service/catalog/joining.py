"""The values of a formula: rows of its operands joined by their dimensions, each evaluated from exact numbers.

An operand is asked for what the formula is asked for. One that lacks a dimension which another keeps apart (customers
have no currency, MRR has) gives the same figure to every row of it.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from service.catalog.choices import chosen
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
    parameters, within = chosen(kpi, fixed)
    for name, values in fixed.items():
        if not kpi.splits_by(name):
            continue
        filters[name] = tuple(value for value in values if name not in filters or value in filters[name])
    statistics = tuple(dict.fromkeys(operand.selector.statistic or MAIN for operand in group))
    by = tuple(name for name in question.by if kpi.splits_by(name))
    asked = Question(by=by, filters=filters, parameters=parameters, statistics=statistics, within=within)
    return Part(kpi, asked, group[0].earlier, tuple(group), is_empty=not all(filters.values()))


def joined(
    kpi: Kpi, formula: Formula, windows: Sequence[Window], question: Question, found: Sequence[tuple[Part, Sequence[Value]]]
) -> list[Value]:
    """The values of a formula, of what came of its parts; without a split every window has one."""
    dims = (*question.by, *(name for name in kpi.head.apart if name not in question.by))
    sheets = [_sheet(part, values, dims) for part, values in found]
    answers = []
    for window in windows:
        place = (window.tenant, window.key)
        if any(place in sheet.gone for sheet in sheets):
            answers.append(Value(window.tenant, window.key, MAIN, None, reason=EXPIRED))
            continue
        columns = {id(operand): _column(sheet, place, operand) for sheet in sheets for operand in sheet.part.operands}
        figures = _Figures(place, columns)
        rows = _distinct([row for sheet in sheets for row in sheet.happened.get(place, ())])
        for row in rows or ([] if question.by else [(None,) * len(dims)]):
            shown = {name: value or "" for name, value in zip(dims, row, strict=True) if value or name in question.by}
            figures.begin(row)
            answers.append(_value(formula, window, shown, figures, is_row=bool(rows)))
    return answers


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What came of a part: its values by window and statistic, and by row."""

    part: Part
    columns: tuple[int, ...]
    """Places among the formula's dimensions of those that the KPI has."""
    is_whole: bool
    """Whether it has all of them."""
    values: dict[tuple[Place, str], dict[Row, Value]] = field(default_factory=dict)
    happened: dict[Place, dict[Row, None]] = field(default_factory=dict)
    """Rows in which something happened, or that are declared."""
    gone: set[Place] = field(default_factory=set)
    """Windows that are finer than what is kept."""


def _sheet(part: Part, values: Iterable[Value], dims: Sequence[str]) -> _Sheet:
    columns = tuple(column for column, name in enumerate(dims) if part.kpi.splits_by(name))
    made = _Sheet(part, columns, len(columns) == len(dims))
    names = [dims[column] for column in columns]
    for value in values:
        place, told = (value.tenant, value.window), value.dims
        if value.reason == EXPIRED:
            made.gone.add(place)
        elif value.reason != MIXED:
            row: Row = tuple([told.get(name, "") for name in names])
            made.values.setdefault((place, value.statistic), {})[row] = value
            if value.row or told:
                of_all = row if made.is_whole else tuple([told.get(name, "") if name in names else None for name in dims])
                made.happened.setdefault(place, {})[of_all] = None
    return made


def _distinct(rows: Sequence[Row]) -> list[Row]:
    """Each row once; one that lacks a dimension is no row of its own where others say more of the same."""
    unlike = dict.fromkeys(rows)
    lacking = {_lacks(row) for row in unlike if None in row}
    covered: dict[tuple[bool, ...], set[Row]] = {}
    for pattern in lacking:
        places = [place for place, lacks in enumerate(pattern) if not lacks]
        covered[pattern] = {tuple([row[place] for place in places]) for row in unlike if row.count(None) < sum(pattern)}
    return [row for row in unlike if None not in row or _told(row) not in covered[_lacks(row)]]


def _told(row: Row) -> Row:
    return tuple([value for value in row if value is not None])


def _lacks(row: Row) -> tuple[bool, ...]:
    return tuple([value is None for value in row])


@dataclass(frozen=True, slots=True)
class _Column:
    """The values of an operand in one window, by row."""

    operand: Operand
    kpi: Kpi
    kind: str
    values: Mapping[Row, Value]
    columns: tuple[int, ...] | None
    """Places of the row's dimensions that its own rows have; None: all of them."""

    def at(self, row: Row) -> Value | None:
        if self.columns is not None:
            row = tuple([row[column] or "" for column in self.columns])
        elif None in row:
            row = tuple([value or "" for value in row])
        return self.values.get(row)


def _column(sheet: _Sheet, place: Place, operand: Operand) -> _Column:
    statistic, kpi = operand.selector.statistic or MAIN, sheet.part.kpi
    columns = None if sheet.is_whole else sheet.columns
    return _Column(operand, kpi, kpi.statistics[statistic].kind, sheet.values.get((place, statistic), {}), columns)


@dataclass(slots=True)
class _Figures:
    """The exact figures of one row after the other."""

    place: Place
    columns: Mapping[int, _Column]
    """By the operand of the expression: itself, for what it says takes longer to compare."""
    row: Row = ()
    notes: dict[str, None] = field(default_factory=dict)
    """What their statements say of them."""

    def begin(self, row: Row) -> None:
        """Go on with another row."""
        self.row, self.notes = row, {}

    def of(self, operand: Operand) -> Outcome:
        column = self.columns[id(operand)]
        value = column.at(self.row)
        if value is None:
            statistic = operand.selector.statistic or MAIN
            figure = empty(column.kpi, statistic)
            value = Value(*self.place, statistic, figure.value, figure.numerator, figure.denominator, reason=NO_DATA)
        if value.note:
            self.notes[value.note] = None
        if value.value is None:
            return Absent(value.reason, f"{operand.selector} has no value")
        return exact_of(value, kind=column.kind)


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
