"""Something that the evaluator does again and again, and how long it rests between."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

LEAST_REST_S: Final = 0.05
"""So that what takes its whole period lets others have their turn."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something that is done again and again."""

    name: str
    every_s: float
    once: Callable[[], Awaitable[None]]
    yields: bool = True
    """Whether it leaves the machine to others for as long as it was busy, where that is longer than its period's rest."""

    def rest_s(self, took_s: float) -> float:
        """How long until it is done again: what is left of its period, or as long as it took, a period at the most.

        So what takes longer than its period where cores are short is busy half of the time, and not all of it. What does
        not is done twice in two periods: no figure of it is older than that.
        """
        left_s = max(LEAST_REST_S, self.every_s - took_s)
        if not self.yields:
            return left_s
        most_s = self.every_s if took_s >= self.every_s else 2 * (self.every_s - took_s)
        return max(left_s, min(took_s, most_s))
