"""Whether a formula can be computed of the KPIs that are known, and what can be asked of it then."""

from collections.abc import Mapping, Sequence
from functools import reduce

from service.domain.config.base import Several, check_selector, unnamed
from service.domain.config.choices import of_dimensions, wrong_choices
from service.domain.config.shape import KpiShape
from service.domain.formula import Expression, Operand, operands, parse_formula
from service.errors import InvalidText


def check_formula(text: str, unit: str, known: Mapping[str, KpiShape]) -> KpiShape:
    """The shape of the KPI that a formula makes: it is split by what all of its operands are, and has windows of all.

    Raises InvalidText: what cannot be read, with its column; every operand that is not known or leaves out what its
    figure needs; operands that have no window in common.
    """
    return shape_of(parse_formula(text), unit, known)


def shape_of(expression: Expression, unit: str, known: Mapping[str, KpiShape]) -> KpiShape:
    """The same of a formula that was read already."""
    needed = tuple(operands(expression))
    if not needed:
        raise InvalidText("names no KPI: a formula derives a figure from those of others")
    said = list(dict.fromkeys(mistake for operand in needed for mistake in _mistakes(operand, known)))
    if said:
        raise InvalidText("; ".join(said))
    shapes = [known[operand.selector.kpi] for operand in needed]
    windows = tuple(name for name in shapes[0].windows if all(name in each.windows for each in shapes))
    if not windows:
        each = "; ".join(f"{one.selector.kpi} has {' '.join(known[one.selector.kpi].windows)}" for one in needed)
        raise InvalidText(f"its KPIs have no window in common: {each}")
    return KpiShape(unit=unit, dimensions=reduce(_common, [each.dimensions for each in shapes]), windows=windows)


def _common(some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """The dimensions that both name; `user.*` here and `user.region` there have `user.region` in common."""
    shared = tuple(name for name in some if _names(others, name))
    return (*shared, *(name for name in others if name not in shared and _names(some, name)))


def _names(dimensions: Sequence[str], name: str) -> bool:
    return name in dimensions or any(each.endswith(".*") and name.startswith(each[:-1]) for each in dimensions)


def _mistakes(operand: Operand, known: Mapping[str, KpiShape]) -> list[str]:
    at = f"column {operand.column}: "
    selector, chosen = operand.selector, []
    if (shape := known.get(selector.kpi)) is not None:
        chosen = list(wrong_choices(selector, shape))
        selector = of_dimensions(selector, shape)
    try:
        check_selector(selector, known)
    except Several as error:
        return [at + message for _, message in error.parts]
    except ValueError as error:
        return [at + str(error)]
    left_out = unnamed(selector, known)
    return [at + message for message in (*chosen, *([left_out] if left_out else []))]
