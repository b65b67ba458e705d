"""Points that come of floats are those of exact numbers."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from service.domain.health import CATEGORY_POINTS, FULL_POINTS, Goal, Measure, health, score_of

VALUES = st.one_of(st.none(), st.floats(-10, 2_000), st.integers(0, 200).map(lambda n: n / 200))
TARGETS = st.sampled_from([None, 0.0, 0.3, 0.6, 1.0, 30.0, 500.0])
GOALS = st.one_of(
    st.none(),
    st.builds(Goal, TARGETS, st.booleans(), st.sampled_from([None, 0.01, 650.0])),
    st.just(Goal(range=(0.2, 0.8))),
)
MEASURES = st.lists(
    st.builds(Measure, st.just("kpi"), st.sampled_from([0.1, 1, 2, 3, 7.5]), VALUES, GOALS), min_size=1, max_size=4
)


def exactly(number: Fraction) -> Decimal:
    return (Decimal(number.numerator) / Decimal(number.denominator)).quantize(Decimal("0.1"), ROUND_HALF_UP)


@given(MEASURES)
@example([Measure("kpi", 1, 0.6125, Goal(1.0))])  # 12.25 points: the middle of two
@example([Measure("kpi", 1, 0.5, Goal(1.0)), Measure("kpi", 3, 0.5875, Goal(1.0))])
def test_points_of_floats_are_those_of_exact_numbers(measures: list[Measure]) -> None:
    scores = [None if one.value is None or one.goal is None else score_of(one.value, one.goal) for one in measures]
    counted = [(Fraction(one.weight), score) for one, score in zip(measures, scores, strict=True) if score is not None]
    (category,) = health({"adoption": measures}).categories
    if not counted:
        assert category.points is None
        return
    whole = sum((weight for weight, _ in counted), Fraction(0))
    assert category.points == exactly(sum((w * s for w, s in counted), Fraction(0)) / whole * CATEGORY_POINTS)
    for one, score, told in zip(measures, scores, category.kpis, strict=True):
        if score is not None:
            assert told.lost == exactly((1 - score) * Fraction(one.weight) / whole * CATEGORY_POINTS)


@given(st.lists(MEASURES, min_size=1, max_size=5))
@example([[Measure("kpi", 1, 0.7, Goal(1.0))], [Measure("kpi", 1, None, Goal(1.0))]])  # 30 points, not the category's 6
def test_what_is_lost_adds_up_to_what_the_score_lacks(declared: list[list[Measure]]) -> None:
    found = health({str(number): measures for number, measures in enumerate(declared)})
    costs: list[Fraction] = []
    for measures in declared:
        scores = [None if one.value is None or one.goal is None else score_of(one.value, one.goal) for one in measures]
        counted = [(Fraction(one.weight), score) for one, score in zip(measures, scores, strict=True) if score is not None]
        whole = sum((weight for weight, _ in counted), Fraction(0))
        given_points = sum(category.points is not None for category in found.categories)
        costs += [(1 - score) * weight / whole * FULL_POINTS / given_points for weight, score in counted]
    told = [kpi.cost for category in found.categories for kpi in category.kpis if kpi.score is not None]
    assert told == [exactly(cost) for cost in costs]
    if found.score is not None:
        # The points of each category are rounded to a tenth, and the score to a whole.
        assert abs(FULL_POINTS - found.score - sum(costs, Fraction(0))) <= Fraction(3, 4)
