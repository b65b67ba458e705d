"""Making KPIs that are derived from others by a formula: what can be asked of them follows from those that it names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from service.catalog.kpi import MAIN, Formula, Head, Kpi, Live
from service.domain.config import KpiShape
from service.domain.config.formula_check import shape_of
from service.domain.formula import Operand, adds_up, in_a_circle, in_order, operands, parse_formula
from service.errors import InvalidText

FORMULA: Final = "formula"
_DERIVED = ("dimensions", "custom", "whole_days", "statistics", "parameters", "facts", "of_quarters", "platform_wide")
"""Keys of a head that follow from the KPIs that a formula names."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A formula whose KPIs may not be there yet."""

    head: Head
    file: str
    given: frozenset[str] = frozenset()
    """The keys that its head names."""


def resolve(pending: Mapping[str, Pending], known: Mapping[str, Kpi]) -> tuple[dict[str, Kpi], dict[str, str]]:
    """Make the KPI of every formula, each after those that it names; and what is wrong with the others, by id."""
    made: dict[str, Kpi] = {}
    wrong: dict[str, str] = {}
    names: dict[str, frozenset[str]] = {}
    for name, each in pending.items():
        try:
            names[name] = frozenset(operand.selector.kpi for operand in operands(parse_formula(each.head.formula)))
        except InvalidText as error:
            wrong[name] = f"{FORMULA}: {error}"
    ordered, circle = in_order(names)
    for name in ordered:
        try:
            made[name] = derive(pending[name], {**known, **made})
        except InvalidText as error:
            wrong[name] = str(error)
    return made, wrong | dict.fromkeys(circle, f"{FORMULA}: {in_a_circle(circle)}")


def derive(pending: Pending, known: Mapping[str, Kpi]) -> Kpi:
    """The KPI of a formula over known ones; raises InvalidText, whose message begins with the key that is wrong."""
    head, expression = pending.head, parse_formula(pending.head.formula)
    for key in _DERIVED:
        if key in pending.given:
            raise InvalidText(f"{key}: a formula has that of the KPIs that it names: leave it out")
    needed = tuple(operands(expression))
    try:
        shape = shape_of(expression, head.unit, {name: shape_of_kpi(kpi) for name, kpi in known.items()})
    except InvalidText as error:
        raise InvalidText(f"{FORMULA}: {error}") from error
    kpis = {operand.selector.kpi: known[operand.selector.kpi] for operand in needed}
    windows = tuple(name for name in shape.windows if "windows" not in pending.given or name in head.windows)
    if not windows:
        raise InvalidText(f"windows: its KPIs have {' '.join(shape.windows)}")
    apart = tuple(dict.fromkeys(name for kpi in kpis.values() for name in kpi.head.apart))
    first = kpis[needed[0].selector.kpi].head
    wanted = (head.default_window, first.default_window) if "default_window" in pending.given else (first.default_window,)
    default = next((name for name in wanted if name in windows), windows[0])

    def is_count(operand: Operand) -> bool:
        return kpis[operand.selector.kpi].statistics[operand.selector.statistic or MAIN].kind == "count"

    other: Literal["ratio", "mean"] = "ratio" if head.unit == "ratio" else "mean"
    return Kpi(
        msgspec.structs.replace(
            head,
            dimensions=(*shape.dimensions, *(name for name in apart if not shape.splits_by(name))),
            windows=windows,
            default_window=default,
            custom=all(kpi.head.custom for kpi in kpis.values()),
            whole_days=any(kpi.head.whole_days for kpi in kpis.values()),
            platform_wide=all(kpi.head.platform_wide for kpi in kpis.values()),
            apart=apart,
        ),
        "",
        file=pending.file,
        formula=Formula(expression, kpis, "count" if adds_up(expression, is_count) else other),
    )


def live_where_its_kpis_are(kpi: Kpi) -> Live:
    """What is kept current of a formula that does not say: the windows in which all that it is made of is, else its own."""
    return Live(_live_windows(kpi) or (kpi.head.default_window,))


def _live_windows(kpi: Kpi) -> tuple[str, ...]:
    if kpi.head.live is not None or kpi.formula is None:
        return kpi.head.live.windows if kpi.head.live else ()
    each = [_live_windows(one) for one in kpi.formula.kpis.values()]
    return tuple(name for name in each[0] if name in kpi.head.windows and all(name in windows for windows in each))


def shape_of_kpi(kpi: Kpi) -> KpiShape:
    """What the check of a configuration or of a formula needs to know of a KPI."""
    return KpiShape(
        unit=kpi.head.unit,
        statistics=tuple(name for name in kpi.statistics if name != MAIN),
        dimensions=kpi.dimensions,
        units={name: statistic.unit for name, statistic in kpi.statistics.items() if statistic.unit != kpi.head.unit},
        required=kpi.head.required,
        windows=tuple(name for name in kpi.head.windows if kpi.takes(name)),
        parameters={name: None if each.feature else each.values for name, each in kpi.head.parameters.items()},
        most={name: each.most for name, each in kpi.head.parameters.items() if each.most is not None},
    )
