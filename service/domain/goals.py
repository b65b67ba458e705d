"""How a goal stands: in how many windows, one after the other, its target was met, and whether its day has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.domain.config import Goal
from service.domain.targets import meets


class Progress(StrEnum):
    """`none` where the newest window has no value."""

    MET = "met"
    OPEN = "open"
    MISSED = "missed"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class GoalStanding:
    """What has come of a goal."""

    progress: Progress
    in_a_row: int
    """The newest windows, one after the other, that meet it; no more are counted than it needs."""


def standing(goal: Goal, values: Sequence[float | None], *, is_due: bool) -> GoalStanding:
    """Judge the values of its last whole windows, the newest first, of those that end by its day."""
    in_a_row = 0
    for value in values[: goal.windows_in_a_row]:
        if value is None or not meets(goal.op, value, goal.target):
            break
        in_a_row += 1
    if in_a_row >= goal.windows_in_a_row:
        return GoalStanding(Progress.MET, in_a_row)
    if is_due:
        return GoalStanding(Progress.MISSED, in_a_row)
    has_none = not values or values[0] is None
    return GoalStanding(Progress.NONE if has_none else Progress.OPEN, in_a_row)
