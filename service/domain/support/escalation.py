"""How far an open ticket has to be escalated: by the share of its limits that is used, by priority and age."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from service.clock import HOUR, SECOND
from service.domain.config.support import Escalation
from service.domain.config.terms import seconds
from service.domain.support.judging import Due

HIGHEST: Final = 4
"""The level at which a credit is due beside."""


@dataclass(frozen=True, slots=True)
class Step:
    """Who has to know: from a share of a limit on, or from an age on of a priority."""

    level: int
    share: Fraction | None = None
    priority: str = ""
    after_us: int = 0
    """The age that is passed, by the clock, the time between `resolved` and `reopened` left out."""


DEFAULTS: Final[tuple[Step, ...]] = (
    Step(1, share=Fraction(3, 4)),
    Step(1, priority="P1"),
    Step(2, share=Fraction(1)),
    Step(2, priority="P0"),
    Step(2, priority="P1", after_us=4 * HOUR),
    Step(3, share=Fraction(3, 2)),
    Step(3, priority="P0", after_us=4 * HOUR),
    Step(HIGHEST, share=Fraction(2)),
)
"""From kpis.md, *Support*; what a tenant declares comes beside, and the highest level counts."""


def steps_of(declared: Iterable[Escalation]) -> tuple[Step, ...]:
    """The steps of `[[escalation]]`, and the defaults that they stand beside."""
    return DEFAULTS + tuple(Step(each.level, priority=each.priority, after_us=seconds(each.after) * SECOND) for each in declared)


def level(dues: Sequence[Due], steps: Iterable[Step], *, priority: str, age_us: int) -> int:
    """The level of an open ticket, 0 for none; `dues` are its limits as judged, `age_us` the time since its opening."""
    used = max((due.used for due in dues if due.done_us is None), default=Fraction(0))

    def applies(step: Step) -> bool:
        if step.share is not None:
            return used >= step.share
        return step.priority == priority and (not step.after_us or age_us > step.after_us)

    return max((step.level for step in steps if applies(step)), default=0)
