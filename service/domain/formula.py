"""Formulas over KPIs: their text read into a small tree, which formula_columns.py evaluates.

clv / cac
mrr * 12
1 - error_rate.5xx
incidents{severity=P0,P1} / incidents
growth(mrr, month)
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, assert_never, cast, get_args

from service.domain.localtime import CalendarUnit
from service.domain.selector import Selector, parse_selector
from service.errors import InvalidText

MAX_FORMULA_CHARACTERS = 2_000
MAX_OPERATIONS = 50
MAX_DEPTH = 20
PERIODS: tuple[CalendarUnit, ...] = get_args(CalendarUnit)
"""What `growth` may look back by."""

Operator = Literal["+", "-", "*", "/"]

_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,9})?(?![0-9.a-z_])")
_SELECTOR = re.compile(r'[a-z][a-z0-9_]*(\.[a-z0-9_]+)?(\s*\{(?:[^{}"]|"(?:[^"\\]|\\.)*")*\})?')
_GROWTH = re.compile(r"growth\s*\(")
_WORD = re.compile(r"[^\s()+*/,-]+")
_FORM = "write KPIs, numbers, + - * / ( ) and growth(KPI, PERIOD)"


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it stands."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Operand:
    """A figure of a KPI, of the window asked for or of the one a period `earlier` ("": the window itself)."""

    selector: Selector
    column: int
    """Where it stands in the text, from 1."""
    earlier: CalendarUnit | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class Growth:
    """The relative change of a figure: (now - before) / abs(before)."""

    now: Operand
    before: Operand


@dataclass(frozen=True, slots=True)
class Operation:
    """Two expressions and what joins them."""

    operator: Operator
    left: "Expression"
    right: "Expression"


Expression = Number | Operand | Growth | Operation


def parse_formula(text: str) -> Expression:
    """Read a formula; raises InvalidText, which names the column."""
    if len(text) > MAX_FORMULA_CHARACTERS:
        raise InvalidText(f"a formula of {len(text)} characters is longer than {MAX_FORMULA_CHARACTERS}")
    reader = _Reader(text)
    tree = reader.sum_of_terms(0)
    if reader.at < len(text):
        raise reader.error(f"{text[reader.at]!r} is not expected here")
    return tree


def operands(expression: Expression) -> Iterator[Operand]:
    """Every figure that a formula needs, in the order in which they stand; some may come twice."""
    match expression:
        case Number():
            return
        case Operand():
            yield expression
        case Growth():
            yield from (expression.now, expression.before)
        case Operation():
            yield from operands(expression.left)
            yield from operands(expression.right)
        case _:
            assert_never(expression)


def adds_up(expression: Expression, is_count: Callable[[Operand], bool]) -> bool:
    """Whether the formula of a whole is the sum of those of its parts: sums of counts, times or divided by numbers."""
    match expression:
        case Operand():
            return is_count(expression)
        case Operation("+" | "-"):
            return adds_up(expression.left, is_count) and adds_up(expression.right, is_count)
        case Operation("*"):
            sides = expression.left, expression.right
            return any(adds_up(one, is_count) and _is_constant(other) for one, other in (sides, sides[::-1]))
        case Operation("/"):
            return adds_up(expression.left, is_count) and _is_constant(expression.right)
        case _:
            return False


def in_order(rests_on: Mapping[str, Collection[str]]) -> tuple[list[str], list[str]]:
    """Names so that each stands after those that it rests on; and those that go round in a circle, or rest on one."""
    left, ordered = dict(rests_on), list[str]()
    while ready := [name for name, others in left.items() if not any(other in left for other in others)]:
        ordered += ready
        for name in ready:
            del left[name]
    return ordered, sorted(left)


def in_a_circle(names: Sequence[str]) -> str:
    """What is wrong with the formulas of these names."""
    return f"goes round in a circle, or rests on one: {', '.join(names)}"


def _is_constant(expression: Expression) -> bool:
    return not any(True for _ in operands(expression))


class _Reader:
    """Reads a text from left to right: sums of products of figures, numbers and parentheses."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._operations = 0
        self._skip()

    def sum_of_terms(self, depth: int) -> Expression:
        return self._chain(("+", "-"), lambda: self._chain(("*", "/"), lambda: self._factor(depth)))

    def error(self, said: str) -> InvalidText:
        return InvalidText(f"column {self.at + 1}: {said}: {_FORM}")

    def _chain(self, operators: tuple[Operator, ...], part: Callable[[], Expression]) -> Expression:
        left = part()
        while self.at < len(self.text) and self.text[self.at] in operators:
            operator = cast("Operator", self.text[self.at])
            self._operations += 1
            if self._operations > MAX_OPERATIONS:
                raise self.error(f"a formula has at most {MAX_OPERATIONS} operations; make formulas of its parts")
            self._step(1)
            left = Operation(operator, left, part())
        return left

    def _factor(self, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise self.error(f"parentheses and signs lie more than {MAX_DEPTH} deep")
        if self._takes("-"):
            return Operation("-", Number(Fraction(0)), self._factor(depth + 1))
        if self._takes("("):
            inner = self.sum_of_terms(depth + 1)
            self._need(")")
            return inner
        if found := _GROWTH.match(self.text, self.at):
            self._step(len(found[0]))
            return self._growth()
        if found := _NUMBER.match(self.text, self.at):
            self._step(len(found[0]))
            return Number(Fraction(found[0]))
        return self._operand()

    def _growth(self) -> Growth:
        now = self._operand()
        self._need(",")
        found = _WORD.match(self.text, self.at)
        period = next((each for each in PERIODS if found and each == found[0]), None)
        if period is None:
            raise self.error(f"{found[0] if found else ''!r} is no period: write one of {' '.join(PERIODS)}")
        self._step(len(period))
        self._need(")")
        return Growth(now, Operand(now.selector, now.column, period))

    def _operand(self) -> Operand:
        found = _SELECTOR.match(self.text, self.at)
        if found is None:
            is_over = self.at >= len(self.text)
            raise self.error("the name of a KPI or a number is missing" if is_over else "cannot be read from here")
        try:
            operand = Operand(parse_selector(found[0]), self.at + 1)
        except InvalidText as error:
            raise InvalidText(f"column {self.at + 1}: {error}") from error
        self._step(len(found[0]))
        return operand

    def _takes(self, sign: str) -> bool:
        if not self.text.startswith(sign, self.at):
            return False
        self._step(1)
        return True

    def _need(self, sign: str) -> None:
        if not self._takes(sign):
            raise self.error(f"{sign!r} is missing")

    def _step(self, characters: int) -> None:
        self.at += characters
        self._skip()

    def _skip(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
