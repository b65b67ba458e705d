"""Formulas of many rows at once come to what fractions come to, row by row."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from service.catalog.value import decimal, decimal_of
from service.domain.formula import Expression, Growth, Number, Operand, Operation, parse_formula
from service.domain.formula_columns import Absent, Outcome, Ratio, divided, evaluate, ratio_of

Told = tuple[Decimal | int | None, ...]
NAMES = ("a", "b", "c")
numbers = st.integers(-(10**6), 10**6) | st.decimals(-1_000, 1_000, places=9) | st.just(0)
rows = st.lists(st.tuples(*[st.none() | numbers for _ in NAMES]), min_size=1, max_size=4)
texts = st.recursive(
    st.sampled_from([*NAMES, "2", "0.125", "growth(a, week)"]),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda of: f"({of[0]} {of[1]} {of[2]})"),
    max_leaves=8,
)


def fraction_of(expression: Expression, row: dict[str, Fraction | None]) -> Fraction | None:
    """The oracle: one row, by Python's fractions."""
    match expression:
        case Number():
            return expression.value
        case Operand():
            return row[expression.selector.kpi]
        case Growth():
            now, before = fraction_of(expression.now, row), row["b"]
            return None if now is None or not before else (now - before) / abs(before)
        case Operation():
            left, right = fraction_of(expression.left, row), fraction_of(expression.right, row)
            if left is None or right is None or (expression.operator == "/" and not right):
                return None
            return {"+": left.__add__, "-": left.__sub__, "*": left.__mul__, "/": left.__truediv__}[expression.operator](right)


def outcome_of(number: Decimal | int | None) -> Outcome:
    return Absent("no_data", "it has no value") if number is None else ratio_of(number)


@given(texts, rows)
def test_a_formula_of_columns_is_exactly_that_of_fractions_in_each_row(text: str, told: list[Told]) -> None:
    expression = parse_formula(text)

    def column_of(operand: Operand) -> list[Outcome]:
        place = 1 if operand.earlier else NAMES.index(operand.selector.kpi)
        return [outcome_of(row[place]) for row in told]

    for row, found in zip(told, evaluate(expression, column_of, len(told)), strict=True):
        exact = {name: None if number is None else Fraction(number) for name, number in zip(NAMES, row, strict=True)}
        expected = fraction_of(expression, exact)
        if expected is None:
            assert isinstance(found, Absent)
            assert found.note
        else:
            assert isinstance(found, tuple)
            assert found[1] > 0
            assert Fraction(*found) == expected
            assert found[0] / found[1] == float(expected), "the nearest float, reduced or not"
            assert repr(decimal_of(*found)) == repr(decimal(expected))


@given(st.integers(), st.integers().filter(bool), st.integers().filter(bool))
def test_a_ratio_is_divided_by_more_than_0_whatever_the_signs(over: int, under: int, by: int) -> None:
    left: Ratio = (over, abs(under))
    found = divided(left, (by, 7))
    assert found[1] > 0
    assert Fraction(*found) == Fraction(*left) / Fraction(by, 7)
