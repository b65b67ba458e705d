"""SLOs: what makes an event good, and the arithmetic of error budgets and burn rates.

Source of the formulas: Google, The Site Reliability Workbook, chapter 5, "Alerting on SLOs", and chapter 2, "Implementing
SLOs" (https://sre.google/workbook/alerting-on-slos/).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

EventKind = Literal["delivery_on_time", "request_success", "request_latency", "usage", "meter"]
Comparison = Literal["<=", "<", ">=", ">"]
FACTS_OF: Final[Mapping[EventKind, str]] = {
    "delivery_on_time": "delivery",
    "request_success": "request",
    "request_latency": "request",
    "usage": "usage",
    "meter": "meter",
}
"""The facts whose events each kind is about; availability and freshness are about time, and read their own tables."""
PLATFORM_WIDE: Final[frozenset[EventKind]] = frozenset({"request_success", "request_latency"})
"""Kinds whose events concern every account where they name none."""
_FINALS: Final = frozenset({"delivered", "failed", "dead_lettered"})
_ACCOUNT: Final = "account"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events an SLO is about, and which of them are good: what a fold needs of it."""

    name: str
    kind: EventKind
    where: tuple[tuple[str, frozenset[str]], ...] = ()
    """Dimensions with the values that they may have."""
    comparison: Comparison = "<="
    bound: int | None = None
    """Of request_latency (nanoseconds) and meter (units of 1e-9): an event is good when its value compares so with it."""

    def takes(self, account: str, dims: Mapping[str, str]) -> bool:
        """Whether events of these dimensions are among them; "" stands for a dimension that an event does not name."""
        if self.kind == "delivery_on_time" and dims.get("outcome") not in _FINALS:
            return False
        return all(self._allows(name, values, account, dims) for name, values in self.where)

    def is_good(self, dims: Mapping[str, str]) -> bool:
        """Whether events of these dimensions are good, where no value decides on it."""
        if self.kind == "delivery_on_time":
            return dims.get("on_time") == "true" or ("limited" not in dims and dims.get("outcome") == "delivered")
        if self.kind == "usage":
            return dims.get("ok") != "false"
        status = dims.get("status", "")
        return status != "timeout" and not status.startswith("5")

    def _allows(self, name: str, values: frozenset[str], account: str, dims: Mapping[str, str]) -> bool:
        if name == _ACCOUNT:
            return account in values or (account == "" and self.kind in PLATFORM_WIDE)
        return dims.get(name, "") in values


@dataclass(frozen=True, slots=True)
class Tally:
    """Events (or minutes, or seconds) of an SLO over a window, and how many of them were good."""

    good: int
    total: int

    @property
    def bad(self) -> int:
        """Those that were not good."""
        return self.total - self.good


def compliance(tally: Tally) -> Fraction | None:
    """Good ÷ total; None where nothing happened."""
    return Fraction(tally.good, tally.total) if tally.total else None


def budget(tally: Tally, objective: Fraction) -> Fraction:
    """How many events of a window may be bad: what the objective leaves of all of them."""
    return (1 - objective) * tally.total


def spent(tally: Tally, objective: Fraction) -> Fraction | None:
    """The share of the error budget that is spent, more than 1 once it is overspent; None where nothing happened."""
    return tally.bad / budget(tally, objective) if tally.total else None


def left(tally: Tally, objective: Fraction) -> Fraction | None:
    """The share of the error budget that is left, below 0 once it is overspent; None where nothing happened."""
    return 1 - tally.bad / budget(tally, objective) if tally.total else None


def burn_rate(tally: Tally, objective: Fraction) -> Fraction | None:
    """The share that is bad ÷ the share that may be: at 1 the budget lasts as long as the window; None of nothing."""
    return spent(tally, objective)


def days_to_exhaustion(window: Tally, last_day: Tally, objective: Fraction, *, window_days: int) -> Fraction | None:
    """How long what is left lasts at the burn rate of the last 24 hours: the days of the window that are left ÷ burn rate.

    0 once nothing is left; None where nothing happened, or nothing burns.
    """
    remains, burn = left(window, objective), burn_rate(last_day, objective)
    if remains is None:
        return None
    if remains <= 0:
        return Fraction(0)
    return remains * window_days / burn if burn else None
