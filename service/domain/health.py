"""The health score of a customer, or of all: five categories of 20 points, and the reasons for every point that is lost.

A KPI scores min(1, value / target) where higher is better, min(1, target / value) where lower is (kpis.md, `health`); in
a range all, outside of it by the bound that it misses. One without a value or a target leaves the weights of its category,
a category without any leaves the score, which is then of the points that the others can give, and so is what is lost.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Final, Literal, TypeVar

CATEGORY_POINTS: Final = 20
FULL_POINTS: Final = 100
GREEN_FROM: Final = 80
YELLOW_FROM: Final = 60

DOUBT: Final = 1e-6
"""Of a tenth: far more than floats err by."""
_TENTHS: Final = tuple(Decimal(n).scaleb(-1) for n in range(FULL_POINTS * 10 + 1))

Band = Literal["green", "yellow", "red"]
Number = TypeVar("Number", Fraction, float)


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
    cost: Decimal
    """Points of the score's 100 that it costs, one decimal: together they are what the score lacks, but for roundings."""
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
    near = {name: [_near(one) for one in measures] for name, measures in declared.items()}
    given = sum(any(score is not None for score in scores) for scores in near.values())
    categories = tuple(_category(name, measures, near[name], given) for name, measures in declared.items())
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
    return _score(value, goal, Fraction)


def _score(value: float, goal: Goal, number: Callable[[float], Number]) -> Number | None:
    """The score in exact numbers, or in floats."""
    if goal.range is not None:
        low, high = goal.range
        if low <= value <= high:
            return number(1)
        return _score(value, Goal(low) if value < low else Goal(high, higher=False), number)
    if goal.target is None:
        return None
    over, target = number(value), number(goal.target)
    if goal.higher:
        return max(number(0), min(number(1), over / target)) if target > 0 else number(int(over >= target))
    if over <= max(target, number(0)):
        return number(1)
    if target > 0:
        return target / over
    limit = number(goal.limit or 0)
    return limit / (limit + over) if limit > 0 else number(0)


def _near(one: Measure) -> float | None:
    return None if one.value is None or one.goal is None else _score(one.value, one.goal, float)


def _category(name: str, measures: Sequence[Measure], scores: Sequence[float | None], given: int) -> Category:
    """One of the `given` that give points, or one that gives none.

    Points come of floats where these leave no doubt of the rounding, else of exact numbers, which take ten times as long.
    """
    counted = [(one.weight, score) for one, score in zip(measures, scores, strict=True) if score is not None]
    if not counted:
        return Category(name, None, tuple(_without(one) for one in measures))
    whole = sum(weight for weight, _ in counted)
    weights = [one.weight for one, score in zip(measures, scores, strict=True) if score is not None]
    kpis = tuple(_scored(one, score, weights, whole, given) for one, score in zip(measures, scores, strict=True))
    points = _tenths(sum(weight * score for weight, score in counted) / whole * CATEGORY_POINTS)
    if points is None:
        exact = _exact(measures)
        mean = sum((weight * score for weight, score in exact), Fraction(0)) / sum(weight for weight, _ in exact)
        points = _rounded(mean * CATEGORY_POINTS, "0.1")
    return Category(name, points, kpis)


def _scored(one: Measure, near: float | None, weights: Sequence[float], whole: float, given: int) -> Scored:
    """What a KPI gives, whose score is `near`; the weights that count are `whole` together, or nearly so."""
    if near is None or one.value is None or one.goal is None:
        return _without(one)
    share = (1 - near) * one.weight / whole
    lost, cost = _tenths(share * CATEGORY_POINTS), _tenths(share * FULL_POINTS / given)
    if lost is None or cost is None:
        score = score_of(one.value, one.goal) or Fraction(0)
        exact = (1 - score) * Fraction(one.weight) / sum(map(Fraction, weights))
        lost, cost = _rounded(exact * CATEGORY_POINTS, "0.1"), _rounded(exact * FULL_POINTS / given, "0.1")
    return Scored(one.kpi, one.value, one.goal.range or one.goal.target, near, lost, cost, "")


def _exact(measures: Sequence[Measure]) -> list[tuple[Fraction, Fraction]]:
    """The weights and scores that count."""
    scores = [(one, None if one.value is None or one.goal is None else score_of(one.value, one.goal)) for one in measures]
    return [(Fraction(one.weight), score) for one, score in scores if score is not None]


def _tenths(near: float) -> Decimal | None:
    """A number of at most `FULL_POINTS`, rounded half up to a tenth; None where it lies too near to the middle of two."""
    tenths = near * 10 + 0.5
    below = math.floor(tenths)
    return _TENTHS[below] if DOUBT < tenths - below < 1 - DOUBT else None


def _without(one: Measure) -> Scored:
    target = None if one.goal is None else one.goal.range or one.goal.target
    reason: Literal["no_data", "no_target"] = "no_data" if one.value is None else "no_target"
    return Scored(one.kpi, one.value, target, None, Decimal(0), Decimal(0), reason)


def _rounded(number: Fraction, to: str) -> Decimal:
    """Half up, from the exact number."""
    return (Decimal(number.numerator) / Decimal(number.denominator)).quantize(Decimal(to), ROUND_HALF_UP)
