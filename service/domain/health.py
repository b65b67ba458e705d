"""The health score of a customer, or of all: five categories of 20 points, and the reasons for every point that is lost.

A KPI scores min(1, value / target) where higher is better, min(1, target / value) where lower is (kpis.md, `health`); in
a range all, outside of it by the bound that it misses. One without a value or a target leaves the weights of its category,
a category without any leaves the score, which is then of the points that the others can give.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Final, Literal

CATEGORY_POINTS: Final = 20
FULL_POINTS: Final = 100
GREEN_FROM: Final = 80
YELLOW_FROM: Final = 60

Band = Literal["green", "yellow", "red"]


@dataclass(frozen=True, slots=True)
class Goal:
    """What a value is measured by: a target and in which direction it is met, or a range."""

    target: float | None = None
    higher: bool = True
    limit: float | None = None
    range: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """A KPI of a category: its selector, weight, value and goal."""

    kpi: str
    weight: float
    value: float | None
    goal: Goal | None


@dataclass(frozen=True, slots=True)
class Scored:
    """What a KPI gives its category."""

    kpi: str
    value: float | None
    target: float | tuple[float, float] | None
    score: float | None
    """0 to 1; None where it left the weights."""
    lost: Decimal
    """Points of the category's 20 that it costs, one decimal."""
    reason: Literal["", "no_data", "no_target"]


@dataclass(frozen=True, slots=True)
class Category:
    """One category: its points of 20, one decimal, and what each KPI gives; None where no KPI has a value and a target."""

    name: str
    points: Decimal | None
    kpis: tuple[Scored, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """The whole: 0 to 100, its band, and the categories; None where no category has points."""

    score: int | None
    band: Band | None
    categories: tuple[Category, ...]

    @property
    def is_partial(self) -> bool:
        """Whether some category has no points, and the others stand for all."""
        return self.score is not None and any(category.points is None for category in self.categories)


def health(declared: Mapping[str, Sequence[Measure]]) -> Health:
    """The health of what was measured, by category in their order."""
    categories = tuple(_category(name, measures) for name, measures in declared.items())
    points = [category.points for category in categories if category.points is not None]
    if not points:
        return Health(None, None, categories)
    whole = Fraction(sum(points)) * FULL_POINTS / (len(points) * CATEGORY_POINTS)
    score = int(_rounded(whole, "1"))
    return Health(score, band_of(score), categories)


def band_of(score: float) -> Band:
    """The colour of a score."""
    if score >= GREEN_FROM:
        return "green"
    return "yellow" if score >= YELLOW_FROM else "red"


def score_of(value: float, goal: Goal) -> Fraction | None:
    """What a value scores, from 0 to 1; None where the goal names nothing to measure by."""
    if goal.range is not None:
        low, high = goal.range
        if low <= value <= high:
            return Fraction(1)
        return score_of(value, Goal(low) if value < low else Goal(high, higher=False))
    if goal.target is None:
        return None
    exact, target = Fraction(value), Fraction(goal.target)
    if goal.higher:
        return _share(exact, target) if target > 0 else Fraction(int(exact >= target))
    if exact <= max(target, Fraction(0)):
        return Fraction(1)
    if target > 0:
        return target / exact
    limit = Fraction(goal.limit or 0)
    return limit / (limit + exact) if limit > 0 else Fraction(0)


def _share(value: Fraction, target: Fraction) -> Fraction:
    return max(Fraction(0), min(Fraction(1), value / target))


def _category(name: str, measures: Sequence[Measure]) -> Category:
    scores = [None if one.value is None or one.goal is None else score_of(one.value, one.goal) for one in measures]
    if all(score is None for score in scores):
        return Category(name, None, tuple(_scored(one, None, Fraction(0)) for one in measures))
    weights = [Fraction(one.weight) for one in measures]
    whole = sum(weight for weight, score in zip(weights, scores, strict=True) if score is not None)
    kpis = tuple(_scored(one, score, weight / whole) for one, score, weight in zip(measures, scores, weights, strict=True))
    mean = sum((weight * score for weight, score in zip(weights, scores, strict=True) if score is not None), Fraction(0)) / whole
    return Category(name, _rounded(mean * CATEGORY_POINTS, "0.1"), kpis)


def _scored(one: Measure, score: Fraction | None, share: Fraction) -> Scored:
    target = None if one.goal is None else one.goal.range or one.goal.target
    if score is None:
        return Scored(one.kpi, one.value, target, None, Decimal(0), "no_data" if one.value is None else "no_target")
    return Scored(one.kpi, one.value, target, float(score), _rounded((1 - score) * share * CATEGORY_POINTS, "0.1"), "")


def _rounded(number: Fraction, to: str) -> Decimal:
    """Half up, from the exact number."""
    return (Decimal(number.numerator) / Decimal(number.denominator)).quantize(Decimal(to), ROUND_HALF_UP)
