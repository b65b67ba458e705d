"""KPIs that rest on an operator's own files, in rounds: the last ones, for a bounded time, and rarely while they fail."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from service.catalog.guarded import TIMEOUT_S
from service.catalog.kpi import Kpi
from service.clock import SECOND

FIRST_REST_S: Final = 10.0
"""How long one that failed is not asked; twice as long each time that it fails again."""
LONGEST_REST_S: Final = 600.0


Key: TypeAlias = tuple[str, str]
"""A KPI by its id and its formula: tenants may have formulas of one id that differ."""


def key_of(kpi: Kpi) -> Key:
    """What tells one KPI from another."""
    return kpi.id, kpi.head.formula


@dataclass(frozen=True, slots=True)
class _Rest:
    """One that failed: how often in a row, until when it is left alone, and what it said."""

    times: int
    until_us: int
    why: str


@dataclass(slots=True)
class GuestTurns:
    """Whose turn it is, by round: what is too slow for the short one may do for the others."""

    _resting: dict[tuple[str, Key], _Rest] = field(default_factory=dict)
    """By round and KPI; no more than the catalog and tenants' formulas have."""
    _owed: dict[tuple[str, Key], set[int]] = field(default_factory=dict)
    """By round and KPI: tenants that wait for an answer."""

    def is_due(self, of_round: str, kpi: Key, now_us: int) -> bool:
        """Whether it is to be asked now."""
        rest = self._resting.get((of_round, kpi))
        return rest is None or rest.until_us <= now_us

    def failed(self, of_round: str, kpi: Kpi, why: str, now_us: int) -> float:
        """Let it rest; returns for how many seconds."""
        before = self._resting.get((of_round, key_of(kpi)))
        times = before.times + 1 if before else 1
        rest_s = min(FIRST_REST_S * 2.0 ** min(times - 1, 10), LONGEST_REST_S)
        self._resting[of_round, key_of(kpi)] = _Rest(times, now_us + int(rest_s * SECOND), why)
        return rest_s

    def went_well(self, of_round: str, kpi: Kpi) -> None:
        """It gave an answer to all that waited for one."""
        self.forget(of_round, key_of(kpi))

    def forget(self, of_round: str, kpi: Key) -> None:
        """Nobody waits for it any more."""
        self._resting.pop((of_round, kpi), None)
        self._owed.pop((of_round, kpi), None)

    def owe(self, of_round: str, kpi: Kpi, tenants: list[int]) -> None:
        """It gave these no answer: they are asked for again, though nothing happened to them."""
        self._owed.setdefault((of_round, key_of(kpi)), set()).update(tenants)

    def owed(self, of_round: str, now_us: int) -> Mapping[Key, set[int]]:
        """Whom answers are owed to, by KPI, of those that are to be asked now."""
        return {kpi: of for (name, kpi), of in self._owed.items() if name == of_round and self.is_due(name, kpi, now_us)}

    def resting(self) -> Iterator[str]:
        """A sentence for each that fails, for /readyz."""
        for (of_round, (kpi, _)), rest in sorted(self._resting.items(), key=lambda each: each[0]):
            yield f"{kpi} gave no answer in the round {of_round}, {rest.times} times in a row: {rest.why}"


def most_s(every_s: float) -> float:
    """How long one of them may take in a round, and after how long no other one is begun: what comes next waits no longer."""
    return min(every_s, TIMEOUT_S)
