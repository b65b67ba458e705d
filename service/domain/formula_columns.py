"""Formulas evaluated for many rows at once, an operation after the other: exact, in ratios of integers that nobody reduces.

Python's fractions divide by the greatest common divisor at every step, which takes longer than all else; a value is divided once,
when it is shown, and comes out the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import assert_never

from service.domain.formula import Expression, Growth, Number, Operand, Operation

Ratio = tuple[int, int]
"""An exact number: what is divided, and by what, which is more than 0."""


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no number, and why."""

    reason: str
    """One of the reasons of a value; "" where an operation has no result."""
    note: str
    """For people."""


Outcome = Ratio | Absent
Column = Sequence[Outcome]
"""An outcome a row."""


def evaluate(expression: Expression, column_of: Callable[[Operand], Column], rows: int) -> Column:
    """The exact results of so many rows, or why there is none: an operand has no value, or something is divided by 0."""
    match expression:
        case Number():
            return [expression.value.as_integer_ratio()] * rows
        case Operand():
            return column_of(expression)
        case Growth():
            now, before = column_of(expression.now), column_of(expression.before)
            return [_grown(expression, one, other) for one, other in zip(now, before, strict=True)]
        case Operation():
            sides = (evaluate(side, column_of, rows) for side in (expression.left, expression.right))
            return joined(expression, *sides)
        case _:
            assert_never(expression)


def joined(operation: Operation, left: Column, right: Column) -> Column:
    """What an operation comes to, of what came of its two sides."""
    join = _join_of(operation)
    return [
        one if isinstance(one, Absent) else other if isinstance(other, Absent) else join(one, other)
        for one, other in zip(left, right, strict=True)
    ]


def change(now: Outcome, before: Outcome) -> tuple[Ratio, Ratio] | None:
    """What a growth divides, and by what; None where either has no value."""
    if isinstance(now, Absent) or isinstance(before, Absent):
        return None
    return _less(now, before), (abs(before[0]), before[1])


def ratio_of(number: int | Decimal) -> Ratio:
    """A number as a ratio."""
    return (number, 1) if isinstance(number, int) else number.as_integer_ratio()


def divided(left: Ratio, right: Ratio) -> Ratio:
    """The quotient left ÷ right, which is not 0."""
    over, under = left[0] * right[1], left[1] * right[0]
    return (over, under) if under > 0 else (-over, -under)


def _grown(growth: Growth, now: Outcome, before: Outcome) -> Outcome:
    if isinstance(before, Absent):
        return Absent(before.reason, f"a {growth.before.earlier} before: {before.note}")
    if isinstance(now, Absent):
        return now
    if not before[0]:
        return Absent("", f"{growth.now.selector} was 0 a {growth.before.earlier} before: no relative change")
    return divided(_less(now, before), (abs(before[0]), before[1]))


def _join_of(operation: Operation) -> Callable[[Ratio, Ratio], Outcome]:
    match operation.operator:
        case "+":
            return _and
        case "-":
            return _less
        case "*":
            return _times
        case "/":
            nothing = Absent("", f"{_shown(operation.right)} is 0: nothing is divided by it")
            return lambda left, right: divided(left, right) if right[0] else nothing
        case _:
            assert_never(operation.operator)


def _and(left: Ratio, right: Ratio) -> Ratio:
    if left[1] == right[1]:
        return left[0] + right[0], left[1]
    return left[0] * right[1] + right[0] * left[1], left[1] * right[1]


def _less(left: Ratio, right: Ratio) -> Ratio:
    return _and(left, (-right[0], right[1]))


def _times(left: Ratio, right: Ratio) -> Ratio:
    return left[0] * right[0], left[1] * right[1]


def _shown(expression: Expression) -> str:
    match expression:
        case Number():
            return str(float(expression.value))
        case Operand():
            return str(expression.selector)
        case Growth():
            return f"growth({expression.now.selector}, {expression.before.earlier})"
        case Operation():
            return f"({_shown(expression.left)} {expression.operator} {_shown(expression.right)})"
        case _:
            assert_never(expression)
