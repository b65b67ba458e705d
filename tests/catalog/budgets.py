"""The arithmetic of error budgets and burn rates in exact fractions: what the catalog's statements have to come to.

Source of the formulas: Google, The Site Reliability Workbook, chapter 5, "Alerting on SLOs", and chapter 2, "Implementing
SLOs" (https://sre.google/workbook/alerting-on-slos/).
"""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Counted:
    """Events of an SLO over a window, and how many of them were good."""

    good: int
    total: int

    @property
    def bad(self) -> int:
        """Those that were not good."""
        return self.total - self.good


def compliance(tally: Counted) -> Fraction | None:
    """Good ÷ total; None where nothing happened."""
    return Fraction(tally.good, tally.total) if tally.total else None


def budget(tally: Counted, objective: Fraction) -> Fraction:
    """How many events of a window may be bad: what the objective leaves of all of them."""
    return (1 - objective) * tally.total


def spent(tally: Counted, objective: Fraction) -> Fraction | None:
    """The share of the error budget that is spent, more than 1 once it is overspent; None where nothing happened."""
    return tally.bad / budget(tally, objective) if tally.total else None


def left(tally: Counted, objective: Fraction) -> Fraction | None:
    """The share of the error budget that is left, below 0 once it is overspent; None where nothing happened."""
    return 1 - tally.bad / budget(tally, objective) if tally.total else None


def burn_rate(tally: Counted, objective: Fraction) -> Fraction | None:
    """The share that is bad ÷ the share that may be: at 1 the budget lasts as long as the window; None of nothing."""
    return spent(tally, objective)


def days_to_exhaustion(window: Counted, last_day: Counted, objective: Fraction, *, window_days: int) -> Fraction | None:
    """How long what is left lasts at the burn rate of the last 24 hours: the days of the window that are left ÷ burn rate.

    0 once nothing is left; None where nothing happened, or nothing burns.
    """
    remains, burn = left(window, objective), burn_rate(last_day, objective)
    if remains is None:
        return None
    if remains <= 0:
        return Fraction(0)
    return remains * window_days / burn if burn else None
