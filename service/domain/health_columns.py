"""The health of many customers at once, as `health` has it for one: in floats, and one by one where these leave a doubt."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from service.domain.health import CATEGORY_POINTS, DOUBT, FULL_POINTS, Goal, Health

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Column:
    """A KPI of a category, measured of many: its selector, weight, a value a customer, and the goal of all of them."""

    kpi: str
    weight: float
    values: Sequence[float | None]
    goal: Goal | None


@dataclass(frozen=True, slots=True)
class Healths:
    """The health of customers, in the order in which they were given; -1 where there is none."""

    scores: Ints
    tenths: dict[str, Ints]
    """By category, ten times its points."""
    costs: tuple[tuple[str, Ints], ...]
    """What each KPI costs the score of 100, in tenths of a point: 0 where it left the weights."""

    def notes(self, most: int) -> list[str]:
        """The points that each customer lost, the most first, `most` of them."""
        ordered = sorted(self.costs, key=lambda each: each[0], reverse=True)
        costs = np.stack([tenths for _, tenths in ordered], axis=1)
        places = np.argsort(-costs, axis=1, kind="stable")
        texts = [{n: f"{name} (-{Decimal(n).scaleb(-1)})" for n in np.unique(tenths).tolist()} for name, tenths in ordered]
        return [
            "; ".join([texts[place][costly[place]] for place in order if costly[place]][:most])
            for costly, order in zip(costs.tolist(), places.tolist(), strict=True)
        ]


def healths(
    declared: Mapping[str, Sequence[Column]], customers: int, alone: Callable[[int], Health], own: Collection[int] = ()
) -> Healths:
    """The health of what was measured, by category.

    `alone` scores a single customer, by its place: those in doubt, and those who have goals of their `own`.
    """
    unsure = np.zeros(customers, dtype=np.bool_)
    unsure[list(own)] = True
    tenths: dict[str, Ints] = {}
    shares: list[tuple[str, Floats]] = []
    for name, columns in declared.items():
        scores = np.array([_scores(np.array(one.values, dtype=np.float64), one.goal) for one in columns])
        weights = np.array([one.weight for one in columns])[:, np.newaxis]
        counted = ~np.isnan(scores)
        with np.errstate(all="ignore"):
            whole = np.sum(weights * counted, axis=0)
            mean = np.sum(np.where(counted, weights * scores, 0.0), axis=0) / whole
            lost = (1 - scores) * weights / whole
        tenths[name] = _tenths(mean * CATEGORY_POINTS, -1, unsure)
        shares += [(one.kpi, share) for one, share in zip(columns, lost, strict=True)]
    points = np.stack(list(tenths.values()))
    given = np.sum(points >= 0, axis=0)
    most = FULL_POINTS / np.maximum(given, 1)
    costs = tuple([(kpi, _tenths(share * most, 0, unsure)) for kpi, share in shares])
    for place in np.flatnonzero(unsure).tolist():
        _put(tenths, costs, place, alone(place))
    points = np.stack(list(tenths.values()))
    given = np.sum(points >= 0, axis=0)
    # Of n categories 100 / (20 n) times their points, in tenths: a half is rounded up, and 2 n of them are a point of the whole.
    sums = (np.sum(np.maximum(points, 0), axis=0) + given) // np.maximum(2 * given, 1)
    return Healths(np.where(given > 0, sums, -1), tenths, costs)


def _scores(values: Floats, goal: Goal | None) -> Floats:
    """What values score, from 0 to 1; no number where there is no value, or nothing to measure it by."""
    if goal is None:
        return np.full(len(values), np.nan)
    if goal.range is not None:
        low, high = goal.range
        outside = np.where(values < low, _scores(values, Goal(low)), _scores(values, Goal(high, higher=False)))
        return np.where((low <= values) & (values <= high), 1.0, outside)
    if goal.target is None:
        return np.full(len(values), np.nan)
    known, target, limit = ~np.isnan(values), goal.target, goal.limit or 0.0
    with np.errstate(all="ignore"):
        if goal.higher:
            found = np.clip(values / target, 0.0, 1.0) if target > 0 else (values >= target).astype(np.float64)
        else:
            found = target / values if target > 0 else limit / (limit + values) if limit > 0 else np.zeros(len(values))
            found = np.where(values <= max(target, 0), 1.0, found)
    return np.where(known, found, np.nan)


def _tenths(points: Floats, none: int, unsure: Bools) -> Ints:
    """Points rounded half up to a tenth; `unsure` where one lies too near to the middle of two."""
    known = ~np.isnan(points)
    tenths = np.where(known, points * 10 + 0.5, 0.5)
    below = np.floor(tenths)
    unsure |= (tenths - below <= DOUBT) | (tenths - below >= 1 - DOUBT)
    return np.where(known, below, none).astype(np.int64)


def _put(tenths: Mapping[str, Ints], costs: Sequence[tuple[str, Ints]], place: int, health: Health) -> None:
    """The same of one customer, as it was scored alone."""
    for category in health.categories:
        tenths[category.name][place] = -1 if category.points is None else int(category.points * 10)
    scored = [kpi for category in health.categories for kpi in category.kpis]
    for (_, of_kpi), kpi in zip(costs, scored, strict=True):
        of_kpi[place] = int(kpi.cost * 10)
