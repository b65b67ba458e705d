"""The values of a formula: rows of its operands joined by their dimensions, evaluated from exact numbers.

An operand is asked for what the formula is asked for. One that lacks a dimension which another keeps apart (customers
have no currency, MRR has) gives the same figure to every row of it.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from operator import itemgetter
from typing import Final, Literal

from service.catalog.choices import chosen
from service.catalog.kpi import MAIN, Formula, Kpi
from service.catalog.question import Question
from service.catalog.sheets import Row, Sheet
from service.catalog.value import EXPIRED, NO_DATA, Exact, Value, counted, decimal_of, row_text
from service.catalog.windows import Window, window_earlier
from service.domain.formula import Growth, Operand, Operation, operands
from service.domain.formula_columns import Absent, Column, Outcome, change, evaluate
from service.domain.formula_columns import joined as operated
from service.domain.localtime import CalendarUnit

REMEMBERED_NOTES: Final = 1_024
_Sides = Sequence[Outcome | None]


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


def dims_of(kpi: Kpi, question: Question) -> tuple[str, ...]:
    """The dimensions of a formula's rows: those asked for, and those that are kept apart."""
    return *question.by, *(name for name in kpi.head.apart if name not in question.by)


def joined(
    kpi: Kpi, formula: Formula, windows: Sequence[Window], question: Question, found: Sequence[tuple[Part, Sheet]]
) -> list[Value]:
    """The values of a formula, of what came of its parts; without a split every window has one."""
    dims = dims_of(kpi, question)
    sheets = [sheet for _, sheet in found]
    of_operands = {id(operand): sheet for part, sheet in found for operand in part.operands}
    texts = {row: text for sheet in sheets for row, text in sheet.texts.items()} if dims else {}
    answers: list[Value] = []
    for window in windows:
        place = (window.tenant, window.key)
        if any(place in sheet.gone for sheet in sheets):
            answers.append(Value(window.tenant, window.key, MAIN, None, reason=EXPIRED))
            continue
        happened = _distinct([row for sheet in sheets for row in sheet.happened.get(place, ())])
        rows = happened or ([] if question.by else [(None,) * len(dims)])
        made = _made(formula, rows, _Columns(of_operands, place, rows))
        for row, (number, over, under, reason, note) in zip(rows, made, strict=True):
            shown = {name: value or "" for name, value in zip(dims, row, strict=True) if value or name in question.by}
            text = ((texts.get(row) if all(row) else None) or row_text(shown)) if happened else ""
            answers.append(Value(window.tenant, window.key, MAIN, number, over, under, shown, reason, note, text))
    return answers


def _distinct(rows: Sequence[Row]) -> list[Row]:
    """Each row once; one that lacks a dimension is no row of its own where others say more of the same."""
    unlike = dict.fromkeys(rows)
    lacking: dict[tuple[int, ...], list[Row]] = {}
    for row in unlike:
        if None in row:
            lacking.setdefault(tuple([place for place, value in enumerate(row) if value is not None]), []).append(row)
    told_of_more = set[Row]()
    for told, alike in lacking.items():
        of = itemgetter(*told) if told else len
        covered = {of(row) for row in unlike if row.count(None) < len(row) - len(told)}
        told_of_more.update(row for row in alike if of(row) in covered)
    return [row for row in unlike if row not in told_of_more]


@dataclass(slots=True)
class _Columns:
    """What operands come to in the rows of one window."""

    sheets: Mapping[int, Sheet]
    """By the operand of the expression: itself, for what it says takes longer to compare."""
    place: tuple[int, Hashable]
    rows: Sequence[Row]

    def of(self, operand: Operand) -> Column:
        return self.sheets[id(operand)].column(operand, self.place, self.rows)

    def notes(self, formula: Formula) -> Iterator[str]:
        """What statements say of each row's operands."""
        told = [self.sheets[id(each)].noted(each, self.place, self.rows) for each in operands(formula.expression)]
        said = [notes for notes in told if notes is not None]
        return (_listed(notes) for notes in zip(*said, strict=True)) if said else repeat("", len(self.rows))


def _made(
    formula: Formula, rows: Sequence[Row], columns: _Columns
) -> Iterator[tuple[float | None, Exact | None, Exact | None, str, str]]:
    """Of each row the value, what it was made of, the reason of none, and the note."""
    results, lefts, rights = _evaluated(formula, columns, len(rows))
    for result, left, right, noted in zip(results, lefts, rights, columns.notes(formula), strict=True):
        over, under = _shown(left), _shown(right)
        value, outcome = None, result
        if not isinstance(result, Absent):
            exact = _shown(result) if under is None else None
            try:
                value = counted(exact or 0) if formula.kind == "count" else result[0] / result[1]
            except OverflowError:
                outcome = Absent(NO_DATA, "the result is too large to be shown")
            else:
                over = exact if under is None else over
        if isinstance(outcome, Absent):
            yield value, over, under, outcome.reason or NO_DATA, _listed((outcome.note, noted)) if noted else outcome.note
        else:
            yield value, over, under, "", noted


def _evaluated(
    formula: Formula, columns: _Columns, size: int
) -> tuple[Column, Sequence[Outcome | None], Sequence[Outcome | None]]:
    """What a formula comes to; and what it divides, and by what, where that is the last thing it does, else nothing."""
    expression = formula.expression
    nothing = [None] * size
    if formula.kind == "count":
        return evaluate(expression, columns.of, size), nothing, nothing
    match expression:
        case Operation("/"):
            left, right = (evaluate(side, columns.of, size) for side in (expression.left, expression.right))
            return operated(expression, left, right), left, right
        case Growth():
            sides = map(change, columns.of(expression.now), columns.of(expression.before))
            changes = [side or (None, None) for side in sides]
            return evaluate(expression, columns.of, size), [over for over, _ in changes], [under for _, under in changes]
        case _:
            return evaluate(expression, columns.of, size), nothing, nothing


def _shown(outcome: Outcome | None) -> Exact | None:
    return None if outcome is None or isinstance(outcome, Absent) else decimal_of(*outcome)


@lru_cache(maxsize=REMEMBERED_NOTES)
def _listed(notes: tuple[str, ...]) -> str:
    return "; ".join(dict.fromkeys(filter(None, notes)))
