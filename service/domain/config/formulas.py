"""A tenant's formulas, checked; and its KPIs among those of the catalog, so that the rest of its file can name them."""

from collections.abc import Mapping
from typing import Any, get_args

from service.domain.config.about import WindowName
from service.domain.config.formula_check import check_formula
from service.domain.config.lines import Path
from service.domain.config.shape import KnownKpis, KpiShape
from service.domain.formula import parse_formula
from service.errors import InvalidText


def with_formulas(data: Mapping[str, Any], known: KnownKpis) -> tuple[KnownKpis, list[tuple[Path, str]]]:
    """The KPIs that a file can name: the catalog's and its own, a formula those above it; and its formulas' mistakes.

    A formula with a mistake is known all the same: what names it is not wrong for that.
    """
    declared = data.get("formula")
    if not isinstance(declared, list):
        return known, []
    is_checked = isinstance(known, Mapping) and bool(known)
    shapes = dict(known) if isinstance(known, Mapping) else {}
    found: list[tuple[Path, str]] = []
    for index, each in enumerate(declared):
        name, text, unit = _parts(each)
        if name in known:
            found.append((("formula", index, "id"), f"there is a KPI {name} already: give the formula another id"))
        if text:
            try:
                shapes[name] = _shape(text, unit, shapes if is_checked else None)
            except InvalidText as error:
                found.append((("formula", index, "expression"), str(error)))
        shapes.setdefault(name, KpiShape(unit, windows=get_args(WindowName)))
    if isinstance(known, Mapping):
        return shapes if known else known, found
    return {*known, *shapes} if known else known, found


def _parts(declared: object) -> tuple[str, str, str]:
    """Id, expression and unit as they stand; "" for what is no text: its own check tells that."""
    table = declared if isinstance(declared, dict) else {}
    name, text, unit = (table.get(key, "") for key in ("id", "expression", "unit"))
    return (name if isinstance(name, str) else "", text if isinstance(text, str) else "", unit if isinstance(unit, str) else "")


def _shape(text: str, unit: str, shapes: Mapping[str, KpiShape] | None) -> KpiShape:
    """The shape of what a formula makes; where no catalog is at hand only its form is checked."""
    if shapes is None:
        parse_formula(text)
        return KpiShape(unit, windows=get_args(WindowName))
    return check_formula(text, unit or "ratio", shapes)
