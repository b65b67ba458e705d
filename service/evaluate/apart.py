"""Asking an operator's own KPI for many tenants: where it fails, halves of them are asked for, down to the one at fault."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncpg

from service.catalog.guarded import AWAY, MOST_ASKED
from service.catalog.kpi import Kpi
from service.clock import Clock
from service.errors import KpiFailed, LeaseLost, TidegaugeError
from service.evaluate.guests import GuestTurns
from service.store.engine import PASSING

Tell = Callable[[Kpi, Sequence[int], str, float], None]
"""Says for whom a KPI gave no answer, why, and for how many seconds it is not asked for them."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One KPI's turn in a round; what comes of it is remembered by `turns`."""

    turns: GuestTurns
    of_round: str
    kpi: Kpi
    clock: Clock
    ask: Callable[[list[int]], Awaitable[None]]
    """Evaluates the KPI for tenants, and writes what came out."""
    most_s: float
    """How long one question may take."""
    may_begin: Callable[[], bool]
    """Whether there is time for another question."""
    tell: Tell

    async def among(self, tenants: list[int]) -> list[int]:
        """Ask for tenants; returns those that got no answer. Raises LeaseLost and what is no fault of the KPI.

        What fails at once is asked for by halves, with MOST_ASKED questions at the most; what takes too long is so in later
        turns: a turn has one time-out.
        """
        waiting, unanswered, asked, said = [tenants], list[int](), 0, ""
        while waiting:
            few = waiting.pop()
            if asked and (asked == MOST_ASKED or not self.may_begin()):
                self.turns.untold(self.of_round, self.kpi, few, said, self.clock.now_us())
                self.tell(self.kpi, few, said, 0.0)
                unanswered += few
                continue
            asked += 1
            failure = await self._failure(few)
            if failure is None:
                self.turns.went_well(self.of_round, self.kpi, few, self.clock.now_us())
                continue
            said, is_slow = failure
            if len(few) > 1 and not is_slow:
                half = len(few) // 2
                waiting += [few[half:], few[:half]]
                continue
            self._failed(few, said, is_slow=is_slow)
            unanswered += few
        return unanswered

    async def _failure(self, few: list[int]) -> tuple[str, bool] | None:
        """What a question failed of, and whether it took too long; None: it did not."""
        try:
            async with asyncio.timeout(self.most_s):
                await self.ask(few)
        except (LeaseLost, *PASSING, *AWAY):
            raise
        except (TidegaugeError, asyncpg.PostgresError, TimeoutError) as error:
            is_slow = isinstance(error, TimeoutError) or (isinstance(error, KpiFailed) and error.is_slow)
            return str(error) or f"it takes longer than {self.most_s:g} s", is_slow
        return None

    def _failed(self, few: Sequence[int], why: str, *, is_slow: bool) -> None:
        now_us = self.clock.now_us()
        rest_s = self.turns.failed(self.of_round, self.kpi, few, why, now_us, is_slow=is_slow, most_s=self.most_s)
        self.tell(self.kpi, few, why, rest_s)
