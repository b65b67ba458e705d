"""Judging a value: green meets the target, yellow its limit only, red neither (kpis.md, *Rules*)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

from service.domain.config import Target, TenantConfig
from service.domain.config.about import Op
from service.domain.config.choices import number_text

Range = tuple[float, float]


class Status(StrEnum):
    """How a value stands to its target."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A status, and the target that it came from; numbers are in the KPI's unit."""

    status: Status
    reason: Literal["", "no_data", "no_target"] = ""
    """Why the status is `none`."""
    op: Op | Literal["", "range"] = ""
    """"" where there is no target; `range` where the target is one."""
    target: float | None = None
    limit: float | None = None
    range: Range | None = None
    range_limit: Range | None = None
    benchmark: Range | None = None


@dataclass(frozen=True, slots=True)
class Choices:
    """What a value was asked for with, beside its dimensions: parameters of its KPI, and the limit of `share_within`."""

    chosen: Mapping[str, str] = field(default_factory=dict)
    """Numbers as `number_text` writes them."""
    unusual: frozenset[str] = frozenset()
    """Those that are another than where nobody names them: only a target that names them, too, speaks of the value."""
    numbers: frozenset[str] = frozenset()
    """Those that are numbers."""
    said: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Dimensions that say a choice for each value, which one, and its usual one: a row by age is of that age."""


NONE_CHOSEN: Final = Choices()


def judge(
    config: TenantConfig,
    *,
    kpi: str,
    statistic: str | None = None,
    dims: Mapping[str, str | Collection[str]],
    window: str | None,
    value: float | None,
    adds_up: bool = False,
    apart: Collection[str] = (),
    choices: Choices = NONE_CHOSEN,
) -> Judgement:
    """Judge a value by the most specific target that speaks of it; `config` is the version of the window's time.

    `dims` are the dimensions that the value is filtered or split by, each with its value or values.
    `window` is its name, None for bounds of one's own: then only targets of any window count.
    `adds_up` is said of counts and sums: a part is not judged by what the whole should reach. `apart` are
    dimensions of which every value stands for itself (units): no part by them is one of a whole.
    """
    found = target_for(
        config, kpi=kpi, statistic=statistic, dims=dims, window=window, adds_up=adds_up, apart=apart, choices=choices
    )
    if found is None:
        reason: Literal["no_data", "no_target"] = "no_data" if value is None else "no_target"
        return Judgement(Status.NONE, reason)
    status = Status.NONE if value is None else _status(found, value)
    limit = found.limit
    return Judgement(
        status,
        "no_data" if value is None else "",
        op="range" if found.op is None else found.op,
        target=found.target,
        limit=None if isinstance(limit, tuple) else limit,
        range=found.range,
        range_limit=limit if isinstance(limit, tuple) else None,
        benchmark=found.benchmark,
    )


def target_for(
    config: TenantConfig,
    *,
    kpi: str,
    statistic: str | None,
    dims: Mapping[str, str | Collection[str]],
    window: str | None,
    adds_up: bool = False,
    apart: Collection[str] = (),
    choices: Choices = NONE_CHOSEN,
) -> Target | None:
    """The most specific target that speaks of a value, of equals the later one in the file; None: there is none.

    A target speaks of a value when its window is the value's or any, and when for each dimension that it
    names, the value is of some of the named ones and of no others: a target of P0 and P1 speaks of P0 alone.
    Of a KPI that adds up it speaks only of the very part that it names, whichever the unit if it names none. One that names
    choices speaks of values that were asked for with them; one that leaves them open of their usual ones.
    """
    values = {key: frozenset([one] if isinstance(one, str) else one) for key, one in dims.items()}
    known, unusual = _known(values, choices) if choices.chosen else (values, choices.unusual)
    for each in config.targets_by_kpi.get((kpi, statistic or None), ()):
        named = {key: _same(key, ones, choices) for key, ones in each.selector.where.items()}
        if each.window not in {None, window} or not _within(known, named) or unusual - _names(named, choices):
            continue
        if not adds_up or all(values[key] == named.get(key) for key in values if key in named or key not in apart):
            return each
    return None


def _same(key: str, named: Collection[str], choices: Choices) -> frozenset[str]:
    return frozenset(map(number_text, named) if key in choices.numbers else named)


def _known(values: Mapping[str, frozenset[str]], choices: Choices) -> tuple[dict[str, frozenset[str]], frozenset[str]]:
    """What a value is of, its choices among it, and those of them that are unusual."""
    known, unusual = {**values, **{key: frozenset([one]) for key, one in choices.chosen.items()}}, choices.unusual
    for dimension, (name, usual) in choices.said.items():
        if dimension in values:
            known[name] = values[dimension]
            unusual = unusual - {name} if values[dimension] == {usual} else unusual | {name}
    return known, unusual


def _names(named: Mapping[str, frozenset[str]], choices: Choices) -> frozenset[str]:
    """Whatever a target names; with a dimension the choice, too, that it says."""
    return frozenset(named) | {name for dimension, (name, _) in choices.said.items() if dimension in named}


def _within(values: Mapping[str, frozenset[str]], named: Mapping[str, frozenset[str]]) -> bool:
    return all(key in values and values[key] <= ones for key, ones in named.items())


def _status(target: Target, value: float) -> Status:
    if target.range is not None:
        is_met, is_within_limit = _in(target.range, value), isinstance(target.limit, tuple) and _in(target.limit, value)
    else:
        is_met = meets(target.op, value, target.target)
        is_within_limit = isinstance(target.limit, float) and meets(target.op, value, target.limit)
    if is_met:
        return Status.GREEN
    return Status.YELLOW if is_within_limit else Status.RED


def _in(bounds: Range, value: float) -> bool:
    return bounds[0] <= value <= bounds[1]


def meets(op: Op | None, value: float, bound: float | None) -> bool:
    """Whether a value is on the right side of a bound; without an operator or a bound none is."""
    if bound is None:
        return False
    match op:
        case ">=":
            return value >= bound
        case ">":
            return value > bound
        case "<=":
            return value <= bound
        case "<":
            return value < bound
        case None:
            return False
