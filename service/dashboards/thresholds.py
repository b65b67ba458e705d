"""Colours by targets: green meets the target, yellow meets the limit only, red neither."""

import math
from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.models.dashboard import (
    FieldColor,
    FieldColorModeId,
    Threshold,
    ThresholdsConfig,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

from service.catalog.kpi import Suggestion

GREEN, YELLOW, ORANGE, RED, GREY, BLUE = "green", "yellow", "orange", "red", "text", "blue"
STATUS: Mapping[str, str] = {"green": GREEN, "yellow": YELLOW, "orange": ORANGE, "red": RED, "none": GREY}


def steps_of(suggestion: Suggestion | None) -> list[Threshold]:
    """The steps of a suggested target; without one, one colour that judges nothing.

    A step colours its value and all above, so where just the target (or the limit) still meets it, the step is the next number.
    """
    if suggestion is None:
        return [Threshold(color=BLUE)]
    target, limit = suggestion.target, suggestion.limit
    up = {">=": False, "<": False, ">": True, "<=": True}[suggestion.op]
    at = _next if up else float
    if suggestion.up_to is not None:
        return [Threshold(color=RED), Threshold(value=target, color=GREEN), Threshold(value=_next(suggestion.up_to), color=RED)]
    if suggestion.op in {">=", ">"}:
        middle = [] if limit is None else [Threshold(value=at(limit), color=YELLOW)]
        return [Threshold(color=RED), *middle, Threshold(value=at(target), color=GREEN)]
    if limit is None:
        return [Threshold(color=GREEN), Threshold(value=at(target), color=RED)]
    return [Threshold(color=GREEN), Threshold(value=at(target), color=YELLOW), Threshold(value=at(limit), color=RED)]


def none_allowed() -> list[Threshold]:
    """For what should not happen at all."""
    return [Threshold(color=GREEN), Threshold(value=1, color=RED)]


def config(steps: Sequence[Threshold]) -> ThresholdsConfig:
    """Steps over values as they are."""
    return ThresholdsConfig(mode=ThresholdsMode.ABSOLUTE, steps=list(steps))


def by_thresholds() -> FieldColor:
    """The colour of the step that a value has reached."""
    return FieldColor(mode=FieldColorModeId.THRESHOLDS)


def darker() -> FieldColor:
    """The darker the more."""
    return FieldColor(mode=FieldColorModeId.CONTINUOUS_BLUES)


def statuses() -> list[ValueMapping]:
    """Colours of the words that statuses and bands are given by."""
    return [
        ValueMap(
            options={
                word: ValueMappingResult(text=word, color=color, index=at) for at, (word, color) in enumerate(STATUS.items())
            }
        )
    ]


def _next(number: float) -> float:
    return math.nextafter(number, math.inf)
