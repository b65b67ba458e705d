"""Cases of burn rates, from the arithmetic on paper and not from the generator's.

Where a share `e` of events goes wrong from one minute on, after a whole window without a mistake, the error ratio of a window of
`w` minutes is `e·t/w` after `t` minutes, and `e` from `w` on. It is above a threshold `h` when `t > h·w/e`. Once all is well
again, the share of a window of `w` minutes that was full of mistakes is `e·(w - r)/w` after `r` minutes.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.rules.promtool import Case, Check, Why, everywhere

MINUTES: Final = {"5m": 5, "30m": 30, "1h": 60, "2h": 120, "6h": 360, "1d": 1_440, "3d": 4_320}
SHORT: Final = {"1h": "5m", "6h": "30m", "1d": "2h", "3d": "6h"}
ALERT: Final = {
    "1h": "ErrorBudgetBurnsFast",
    "6h": "ErrorBudgetBurnsFast",
    "1d": "ErrorBudgetBurnsSlowly",
    "3d": "ErrorBudgetBurnsSlowly",
}
KEEP: Final = {"1h": 1, "6h": 1, "1d": 15, "3d": 15}
EVERY: Final = {"1h": 1, "6h": 5, "1d": 10, "3d": 30}
"""Minutes between samples, and between evaluations: of longer windows fewer are enough, and cost as much."""
OF_30_DAYS: Final = {"1h": 14.4, "6h": 6.0, "1d": 3.0, "3d": 1.0}
OF_28_DAYS: Final = {"1h": 13.44, "6h": 5.6, "1d": 2.8, "3d": 14 / 15}
DAYS_OF_A_MONTH: Final = 30.4375
DAYS_OF_A_QUARTER: Final = 91.3125
ALL: Final = 0.9
"""Above this no threshold lies: a budget that a total failure of the long window cannot use up would page nobody."""


@dataclass(frozen=True, slots=True)
class Slo:
    """An SLO of acme.toml or of the defaults, as its cases need it."""

    tenant: str
    name: str
    objective: float
    burns: dict[str, float]
    """The burn rates by long window."""
    wrong: float = 1.0
    """The share of events that goes wrong."""
    least: int = 100
    """Events in the long window from which somebody is told."""
    per_minute: int = 1_000

    def limit(self, window: str) -> float:
        """The error ratio that is too much."""
        return min(self.burns[window] * (1 - self.objective), ALL)


def scaled(days: float) -> dict[str, float]:
    """The burn rates of another window than 30 days: the same shares of its budget."""
    return {window: burn * days / 30 for window, burn in OF_30_DAYS.items()}


SLOS: Final = (
    Slo("acme", "benevity-on-time", 0.95, OF_28_DAYS, least=200),
    Slo("acme", "api", 0.999, OF_30_DAYS, wrong=0.1),
    Slo("acme", "month", 0.99, scaled(DAYS_OF_A_MONTH)),
    Slo("acme", "quarter", 0.9, scaled(DAYS_OF_A_QUARTER)),
    Slo("acme", "up", 0.999, OF_30_DAYS, wrong=0.1, least=300),
    Slo("plain", "availability", 0.999, OF_30_DAYS, wrong=0.1, least=300),
    Slo("plain", "request-success", 0.999, OF_30_DAYS, wrong=0.1),
    Slo("plain", "delivery-on-time", 0.95, OF_30_DAYS),
)


def cases(window: str) -> Iterator[Case]:
    """Cases of the alerts with this long window, one of each kind an SLO."""
    for slo in SLOS:
        yield _fires_in_time_and_lets_go(slo, window)
        yield _is_silent(slo, window)
        yield _too_few(slo, window)
        yield _case(slo, window, ("missing",), {}, [Check(0), Check(MINUTES[window])])


def _fires_in_time_and_lets_go(slo: Slo, window: str) -> Case:
    """Not a moment before the threshold, at the next evaluation after it, and no more once the short window is well."""
    every, long, short, limit = EVERY[window], MINUTES[window], MINUTES[SHORT[window]], slo.limit(window)
    until = max(long * limit, short * limit) / slo.wrong
    first = _evaluation_after(until, every)
    # It goes on for the short window at least, so that it is full of mistakes.
    ended = max(first, math.ceil(short / every) * every) + every
    well = short * (1 - limit / slo.wrong)
    last = math.ceil(well / every) * every - every
    checks = [
        Check(long + first - every),
        Check(long + first, 1),
        Check(long + ended, 1),
        Check(long + ended + max(0, last), 1),
        Check(long + ended + last + every + (KEEP[window] // every + 1) * every + every),
    ]
    good = round(slo.per_minute * (1 - slo.wrong))
    phases = [(long, slo.per_minute), (ended, good), (2 * short + 60, slo.per_minute)]
    return _case(slo, window, ("fires", "silent"), _counters(slo, phases, every), checks)


def _is_silent(slo: Slo, window: str) -> Case:
    """Mistakes just within what is allowed at this rate go on for ever, and nobody is told."""
    long, limit = MINUTES[window], slo.limit(window)
    wrong = math.floor(slo.per_minute * limit * 0.98)
    series = _counters(slo, [(2 * long, slo.per_minute - wrong)], EVERY[window])
    return _case(slo, window, ("silent",), series, [Check(long // 2), Check(long), Check(2 * long)])


def _too_few(slo: Slo, window: str) -> Case:
    """All goes wrong, of fewer events than matter, or of seconds."""
    long, every = MINUTES[window], EVERY[window]
    # One event less than matters, spread over the window.
    total = " ".join(str(math.floor((slo.least - 1) * minute / long)) for minute in range(0, long + 1, every))
    series = everywhere("tidegauge_slo_events_total", _labels(slo), total)
    series |= everywhere("tidegauge_slo_good_events_total", _labels(slo), f"0x{long // every}")
    return _case(slo, window, ("silent",), series, [Check(long // 2 // every * every), Check(long)])


def _case(slo: Slo, window: str, why: tuple[Why, ...], series: dict[str, str], checks: list[Check]) -> Case:
    return Case(ALERT[window], _rule(slo, window), why, series, checks, interval=f"{EVERY[window]}m")


def _counters(slo: Slo, phases: list[tuple[int, int]], every: int) -> dict[str, str]:
    """Both counters through phases of (minutes, good events a minute), a sample every so many minutes."""
    total = slo.per_minute * every
    steps = sum(length for length, _ in phases) // every
    good, at = ["0"], 0
    for length, rate in phases:
        good.append(f"{at + rate * every}+{rate * every}x{length // every - 1}")
        at += rate * length
    found = everywhere("tidegauge_slo_events_total", _labels(slo), f"0+{total}x{steps}")
    return found | everywhere("tidegauge_slo_good_events_total", _labels(slo), " ".join(good))


def _evaluation_after(minutes: float, every: int) -> int:
    """The first evaluation that is later; a ratio that equals its threshold is not above it."""
    return (math.floor(round(minutes, 9) / every) + 1) * every


def _rule(slo: Slo, window: str) -> dict[str, str]:
    return {"tenant": slo.tenant, "slo": slo.name, "burn_window": window}


def _labels(slo: Slo) -> str:
    return f'tenant="{slo.tenant}",slo="{slo.name}"'
