"""KPIs that rest on an operator's own files, in rounds: whom they fail for is asked alone, last, and rarely while they fail."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from service.catalog.guarded import TIMEOUT_S, guests_of
from service.catalog.kpi import Kpi
from service.clock import SECOND

FIRST_REST_S: Final = 10.0
"""How long whom it failed for is not asked for; twice as long each time that it fails again."""
LONGEST_REST_S: Final = 600.0
MANY: Final = 1_000_000
"""Tenants, more than there are."""
MOST_TOLD: Final = 20
"""Sentences for /readyz."""
MOST_NAMED: Final = 10
"""Tenants in one of them."""

Key: TypeAlias = tuple[str, str]
"""A KPI by its id and its formula: tenants may have formulas of one id that differ."""


def key_of(kpi: Kpi) -> Key:
    """What tells one KPI from another."""
    return kpi.id, kpi.head.formula


@dataclass(slots=True)
class _Split:
    """Two halves of tenants that it took too long for together."""

    size: int
    """Tenants of one half."""
    unanswered: int = 2


@dataclass(frozen=True, slots=True, eq=False)
class _Rest:
    """What one tenant is left alone for, or several that it failed for together; compared by identity."""

    why: str
    is_slow: bool
    times: int = 0
    """How often in a row it failed for the tenant alone; 0: it was not asked for alone yet."""
    until_us: int = 0
    most_s: float = TIMEOUT_S
    """How long the question could take."""
    split: _Split | None = None


@dataclass(slots=True)
class _Standing:
    """How a KPI does in a round."""

    owed: set[int] = field(default_factory=set)
    """Tenants that wait for an answer."""
    resting: dict[int, _Rest] = field(default_factory=dict)
    slow_times: int = 0
    """How often it took too long since it last gave an answer to anybody."""
    slow_until_us: int = 0
    """Until then nobody is asked for whom it takes too long: one time-out at a time, however many tenants it has."""
    most: int | None = None
    """Tenants that are asked for together, where it takes too long for more of them and for none alone; None: all."""
    narrowed: int = 0
    """How often in a row it took too long for more than `most`."""
    wider_us: int = 0
    """From then on twice as many are asked for together: what took too long may have been a passing thing."""

    def rests(self, rest: _Rest, now_us: int) -> bool:
        """Whether a tenant with this rest is left alone still."""
        return rest.until_us > now_us or (rest.is_slow and self.slow_until_us > now_us)

    def narrow(self, most: int, now_us: int) -> None:
        """Ask for no more than so many together, for a while, and for longer each time that this is found."""
        self.most, self.narrowed = min(most, self.most or most), self.narrowed + 1
        self.wider_us = now_us + int(_rest_s(self.narrowed) * SECOND)

    def widen(self, now_us: int) -> None:
        """Ask for twice as many together from now on, or for all, where it went well for long."""
        if self.most is not None and self.most < MANY:
            self.most, self.wider_us = 2 * self.most, now_us + int(_rest_s(self.narrowed) * SECOND)
        else:
            self.most, self.narrowed = None, 0


@dataclass(frozen=True, slots=True)
class Groups:
    """Tenants of a KPI's turn."""

    together: Sequence[list[int]]
    """Those that nothing is wrong with: asked for at once, those first that wait since an earlier turn."""
    apart: Sequence[list[int]]
    """Those that it failed for, whose rest is over: asked for last, each alone, or with those it is not told apart from."""
    resting: Sequence[int]


@dataclass(slots=True)
class GuestTurns:
    """Whose turn it is, by round: what is too slow for the short one may do for the others."""

    _standings: dict[tuple[str, Key], _Standing] = field(default_factory=dict)
    """No more than the catalog and tenants' formulas have, of all tenants each."""

    def groups(self, of_round: str, kpi: Kpi, tenants: Sequence[int], now_us: int) -> Groups:
        """How tenants are asked for now. Whom the files fail for that a formula rests on is a suspect of the formula, too."""
        standing = self._standings.get((of_round, key_of(kpi)), _Standing())
        files = [found for each in guests_of(kpi) if (found := self._standings.get((of_round, key_of(each)))) is not None]
        others, resting, apart = list[int](), list[int](), dict[_Rest, list[int]]()
        for tenant in tenants:
            rest = standing.resting.get(tenant)
            if rest is not None and standing.rests(rest, now_us):
                resting.append(tenant)
            elif rest := rest or next((file.resting[tenant] for file in files if tenant in file.resting), None):
                apart.setdefault(rest, []).append(tenant)
            else:
                others.append(tenant)
        others.sort(key=lambda tenant: tenant not in standing.owed)
        most = standing.most or len(others)
        together = [others[place : place + most] for place in range(0, len(others), most or 1)]
        return Groups(together, [apart[rest] for rest in sorted(apart, key=lambda rest: rest.until_us)], resting)

    def is_due(self, of_round: str, kpi: Kpi, tenants: Collection[int], now_us: int) -> bool:
        """Whether none of these tenants is to be left alone now."""
        standing = self._standings.get((of_round, key_of(kpi)), _Standing())
        return not any(standing.rests(rest, now_us) for tenant in tenants if (rest := standing.resting.get(tenant)))

    def untold(self, of_round: str, kpi: Kpi, tenants: Sequence[int], why: str, now_us: int) -> None:
        """It failed for these among others, and they are not told apart yet: they are asked for apart, with the next turn."""
        standing = self._standings.setdefault((of_round, key_of(kpi)), _Standing())
        standing.resting |= dict.fromkeys(tenants, _Rest(why, is_slow=False, until_us=now_us))

    def failed(
        self,
        of_round: str,
        kpi: Kpi,
        tenants: Sequence[int],
        why: str,
        now_us: int,
        *,
        is_slow: bool = False,
        most_s: float = TIMEOUT_S,
    ) -> float:
        """Let a tenant rest, which was asked for alone; returns for how many seconds.

        Several that it took too long for are asked for apart from the others, by halves, after a rest.
        """
        standing, rest_s = self._standings.setdefault((of_round, key_of(kpi)), _Standing()), 0.0
        if is_slow:
            standing.slow_times += 1
            rest_s = _rest_s(standing.slow_times)
            standing.slow_until_us = now_us + int(rest_s * SECOND)
        if len(tenants) > 1:
            half = len(tenants) // 2
            split = _Split(half)
            for few in (tenants[:half], tenants[half:]):
                standing.resting |= dict.fromkeys(few, _Rest(why, is_slow, until_us=now_us, most_s=most_s, split=split))
            return rest_s
        [tenant] = tenants
        before = standing.resting.get(tenant)
        times = 1 + (before.times if before else 0)
        rest_s = max(rest_s, _rest_s(times))
        standing.resting[tenant] = _Rest(why, is_slow, times, now_us + int(rest_s * SECOND), most_s)
        return rest_s

    def went_well(self, of_round: str, kpi: Kpi, tenants: Collection[int], now_us: int) -> None:
        """It gave an answer for these."""
        standing = self._standings.get((of_round, key_of(kpi)))
        if standing is None:
            return
        standing.slow_times = standing.slow_until_us = 0
        standing.owed.difference_update(tenants)
        gone = {rest for tenant in tenants if (rest := standing.resting.pop(tenant, None)) is not None}
        for rest in gone.difference(standing.resting.values()):
            if rest.split is not None:
                rest.split.unanswered -= 1
                if not rest.split.unanswered:
                    standing.narrow(rest.split.size, now_us)
        if standing.most is not None and now_us >= standing.wider_us:
            standing.widen(now_us)
        self._tidy(of_round, key_of(kpi), standing)

    def owe(self, of_round: str, kpi: Kpi, tenants: Collection[int]) -> None:
        """These wait for its answer: until it gives one they are asked for again, though nothing happened to them."""
        self._standings.setdefault((of_round, key_of(kpi)), _Standing()).owed.update(tenants)

    def owed(self, of_round: str, now_us: int) -> Mapping[Key, Collection[int]]:
        """Whom answers are owed to and who are to be asked for now, by KPI."""
        found = {}
        for (name, kpi), standing in self._standings.items():
            resting = standing.resting
            due = {each for each in standing.owed if each not in resting or not standing.rests(resting[each], now_us)}
            if name == of_round and due:
                found[kpi] = due
        return found

    def keep(self, of_round: str, tenants: Collection[int], having: Mapping[Key, Collection[int]] | None = None) -> None:
        """Forget all but `tenants`, or those of them that have a KPI no more: `having` says who has which."""
        for (name, kpi), standing in list(self._standings.items()):
            if name != of_round:
                continue
            known = standing.owed | standing.resting.keys()
            for each in known - set(tenants) if having is None else known & (set(tenants) - set(having.get(kpi, ()))):
                standing.owed.discard(each)
                standing.resting.pop(each, None)
            if having is not None and kpi not in having:
                standing.most = None  # nobody that is asked for has it any more
            self._tidy(name, kpi, standing)

    def clear(self) -> None:
        """Forget everything: another process asks from now on."""
        self._standings.clear()

    def knows(self, of_round: str) -> bool:
        """Whether anything of a round is remembered."""
        return any(name == of_round for name, _ in self._standings)

    def _tidy(self, of_round: str, kpi: Key, standing: _Standing) -> None:
        if not standing.owed and not standing.resting and standing.most is None:
            self._standings.pop((of_round, kpi), None)

    def slow(self, kpi: Kpi, now_us: int) -> dict[int, str]:
        """Tenants that a KPI, or a file that it rests on, takes too long for alone, and what it said, while they rest.

        Of rounds where it has all the time that it has elsewhere: what is too slow for the short one may do for others.
        """
        keys = {key_of(kpi), *(key_of(each) for each in guests_of(kpi))}
        return {
            tenant: rest.why
            for (_, key), standing in self._standings.items()
            if key in keys
            for tenant, rest in standing.resting.items()
            if rest.is_slow and rest.times and rest.until_us > now_us and rest.most_s >= TIMEOUT_S
        }

    def resting(self) -> Iterator[str]:
        """A sentence for each that fails, of tenants by their numbers, for /readyz; no more than MOST_TOLD."""
        said: dict[tuple[str, str, str, bool], dict[int, int]] = {}
        for (of_round, (kpi, _)), standing in sorted(self._standings.items(), key=lambda each: each[0]):
            for tenant, rest in standing.resting.items():
                said.setdefault((kpi, of_round, rest.why, rest.times > 0), {})[tenant] = rest.times
        for number, ((kpi, of_round, why, is_alone), tenants) in enumerate(said.items()):
            if number == MOST_TOLD:
                yield f"and {len(said) - number} more: the log names each (kpi_not_evaluated)"
                return
            often = f"{max(tenants.values())} times in a row" if is_alone else "which are told apart"
            yield f"{kpi} gave no answer for {_named(sorted(tenants))} in the round {of_round}, {often}: {why}"


def _named(tenants: Sequence[int]) -> str:
    named = ", ".join(str(each) for each in tenants[:MOST_NAMED])
    left = len(tenants) - MOST_NAMED
    return f"tenant{'s' if len(tenants) > 1 else ''} {named}" + (f" and {left} more" if left > 0 else "")


def _rest_s(times: int) -> float:
    return min(FIRST_REST_S * 2.0 ** min(times - 1, 10), LONGEST_REST_S)


def most_s(every_s: float) -> float:
    """How long one of them may take in a round, and after how long no other one is begun: what comes next waits no longer."""
    return min(every_s, TIMEOUT_S)
