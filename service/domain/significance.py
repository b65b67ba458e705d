"""Whether two figures differ by more than chance: tests of shares, counts and means, each with its p-value.

Two-sided. Where counts are too small for the normal approximation, the exact test is taken; `few` says that so few
were expected that only great differences show.
"""

from dataclasses import dataclass
from math import erfc, exp, inf, isfinite, lgamma, log, sqrt
from typing import Final

FEW: Final = 5
"""Below so many expected in a cell the normal approximation is not trusted (Cochran's rule)."""
FEW_VALUES: Final = 10
"""A mean of fewer values is near a normal one only if the values are, and scores of a few steps are not."""
EXACT_UP_TO: Final = 1_000
"""Terms of an exact sum: beyond them nothing is left where few are expected."""
_SLACK: Final = 1 + 1e-7
"""Probabilities that differ by rounding alone are equal."""
_TINY: Final = 1e-300
_NOTHING: Final = 1e-14
"""A relative change of a sum that is none."""


@dataclass(frozen=True, slots=True)
class Chance:
    """How likely a difference like this, or a greater one, is by chance alone."""

    p: float
    few: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """A mean of so many values, with the variance of the values."""

    n: int
    mean: float
    variance: float


def two_proportions(hits: int, of: int, hits_before: int, of_before: int) -> Chance:
    """Two shares: the pooled z test, Fisher's exact test of few (NIST/SEMATECH e-Handbook of Statistical Methods, 7.3.3)."""
    total, all_hits = of + of_before, hits + hits_before
    if not of or not of_before:
        return Chance(1.0, few=True)
    share = all_hits / total
    least = min(of, of_before) * min(share, 1 - share)
    if least < FEW:
        return Chance(_fisher(hits, of, all_hits, total), few=True)
    spread = sqrt(share * (1 - share) * (1 / of + 1 / of_before))
    return Chance(_normal((hits / of - hits_before / of_before) / spread))


def poisson_rates(count: int, exposure: float, count_before: int, exposure_before: float) -> Chance:
    """Two counts over times of `exposure` in one unit: of their sum the first is binomial (Przyborowski and Wilenski 1940)."""
    total = count + count_before
    if not total or exposure <= 0 or exposure_before <= 0:
        return Chance(1.0, few=True)
    share = exposure / (exposure + exposure_before)
    few = total * min(share, 1 - share) < FEW
    if few or total <= EXACT_UP_TO:
        return Chance(_binomial(count, total, share), few=few)
    return Chance(_normal((count - total * share) / sqrt(total * share * (1 - share))))


def welch(now: Sample, before: Sample) -> Chance:
    """Two means of unequal variances: Welch's t test with the degrees of freedom of Welch and Satterthwaite (1947).

    Of values without any variance it is Fisher's exact test of their being two kinds. Few values that are all alike say
    nothing of how far apart others would be: they are taken to vary as those of the other side do (Student's pooled t test).
    """
    few = min(now.n, before.n) < FEW_VALUES
    if min(now.n, before.n) <= 1:
        return Chance(1.0, few=True)
    parts = now.variance / now.n, before.variance / before.n
    if not sum(parts):  # all of a side are alike: the sides differ as much as they could, which of few chance does too
        alike = now.mean == before.mean
        return Chance(1.0 if alike else two_proportions(now.n, now.n, 0, before.n).p, few=few)
    if any(not each.variance and each.n < FEW_VALUES for each in (now, before)):
        freedom = float(now.n + before.n - 2)
        pooled = ((now.n - 1) * now.variance + (before.n - 1) * before.variance) / freedom
        return Chance(student((now.mean - before.mean) / sqrt(pooled * (1 / now.n + 1 / before.n)), freedom), few=few)
    t = (now.mean - before.mean) / sqrt(sum(parts))
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (now.n - 1) + parts[1] ** 2 / (before.n - 1))
    return Chance(student(t, freedom), few=few)


def student(t: float, freedom: float) -> float:
    """The two-sided p-value of Student's t (DLMF 8.17: the regularised incomplete beta function)."""
    return _beta(freedom / 2, 0.5, freedom / (freedom + t * t))


def _normal(z: float) -> float:
    return erfc(abs(z) / sqrt(2))


def _fisher(hits: int, of: int, all_hits: int, total: int) -> float:
    """Tables of these margins that are no likelier than the one observed."""
    if 2 * all_hits > total:  # the fewer of the two outcomes, and of the two groups: few terms
        hits, all_hits = of - hits, total - all_hits
    if 2 * of > total:
        hits, of = all_hits - hits, total - of
    first, last = max(0, all_hits - (total - of)), min(of, all_hits)

    def weight(k: int) -> float:
        return _log_choose(of, k) + _log_choose(total - of, all_hits - k) - _log_choose(total, all_hits)

    return _no_likelier([weight(k) for k in range(first, min(last, first + EXACT_UP_TO) + 1)], weight(hits))


def _binomial(hits: int, of: int, share: float) -> float:
    """Outcomes that are no likelier than the one observed."""
    if share > 1 / 2:
        hits, share = of - hits, 1 - share

    def weight(k: int) -> float:
        return _log_choose(of, k) + k * log(share) + (of - k) * log(1 - share)

    return _no_likelier([weight(k) for k in range(min(of, EXACT_UP_TO) + 1)], weight(hits))


def _no_likelier(weights: list[float], observed: float) -> float:
    return min(1.0, sum(exp(weight) for weight in weights if weight <= observed + log(_SLACK)))


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function by its continued fraction (DLMF 8.17.22, evaluated by Lentz's method)."""
    if x <= 0 or not isfinite(a):
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(b, a, 1 - x)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1 - x)) / a
    value, upper, lower = 1.0, 1.0, 1 - (a + b) * x / (a + 1)
    lower = 1 / (lower or _TINY)
    value = lower
    change, m = inf, 0
    while abs(change - 1) > _NOTHING and m < EXACT_UP_TO:
        m += 1
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            lower = 1 / (1 + term * lower or _TINY)
            upper = 1 + term / upper or _TINY
            change = lower * upper
            value *= change
    return front * value
