"""Health and churn risk, worked by hand."""

from decimal import Decimal
from fractions import Fraction

import pytest

from service.domain.churn import ChurnRisk, band_of, churn_risk
from service.domain.churn_table import POINTS
from service.domain.health import Goal, Health, Measure, health, score_of


@pytest.mark.parametrize(
    ("value", "goal", "score"),
    [
        (0.6, Goal(0.8), Fraction(0.6) / Fraction(0.8)),
        (0.9, Goal(0.8), 1),
        (-20, Goal(50), 0),  # an NPS below 0
        (5, Goal(0), 1),
        (-5, Goal(0), 0),
        (650, Goal(500, higher=False), Fraction(10, 13)),
        (400, Goal(500, higher=False), 1),
        (0, Goal(500, higher=False), 1),
        (0, Goal(0, higher=False), 1),
        (2, Goal(0, higher=False, limit=2), Fraction(1, 2)),
        (2, Goal(0, higher=False), 0),
        (9, Goal(range=(8, 10)), 1),
        (6, Goal(range=(8, 10)), Fraction(3, 4)),
        (20, Goal(range=(8, 10)), Fraction(1, 2)),
    ],
)
def test_a_kpi_scores_by_how_far_it_is_from_its_target(value: float, goal: Goal, score: Fraction) -> None:
    assert score_of(value, goal) == score


def measured() -> dict[str, list[Measure]]:
    return {
        # (0.63 / 0.70 + 0.40 / 0.80) / 2 = 0.7: 14 points; the second costs 5 of them, the first 1
        "adoption": [Measure("wau_share", 1, 0.63, Goal(0.70)), Measure("mau_share", 1, 0.40, Goal(0.80))],
        # weights 2 and 1: (2 * 1 + 1 * 500 / 650) / 3 = 0.92308: 18.5 points
        "delivery": [
            Measure("delivery_on_time", 2, 0.99, Goal(0.95)),
            Measure("delivery_latency.p95", 1, 650, Goal(500, higher=False)),
        ],
        # the second has no value and leaves the weights: 10 points
        "engagement": [Measure("stickiness_weekly", 1, 0.25, Goal(0.5)), Measure("repeat_visit", 3, None, Goal(0.4))],
        "satisfaction": [Measure("nps", 1, 60, Goal(50))],
        "reliability": [Measure("availability", 2, 0.999, Goal(0.999)), Measure("error_rate", 1, 0.0, Goal(0.005, higher=False))],
    }


def points(of: Health) -> dict[str, Decimal | None]:
    return {category.name: category.points for category in of.categories}


def test_health_is_the_sum_of_five_categories() -> None:
    found = health(measured())
    expected = {"adoption": "14.0", "delivery": "18.5", "engagement": "10.0", "satisfaction": "20.0", "reliability": "20.0"}
    assert points(found) == {name: Decimal(text) for name, text in expected.items()}
    assert (found.score, found.band, found.is_partial) == (83, "green", False)  # 82.5, rounded half up


def test_every_lost_point_has_its_reason() -> None:
    found = health(measured())
    lost = {kpi.kpi: kpi.lost for category in found.categories for kpi in category.kpis if kpi.lost}
    assert lost == {
        "wau_share": Decimal("1.0"),
        "mau_share": Decimal("5.0"),
        "delivery_latency.p95": Decimal("1.5"),
        "stickiness_weekly": Decimal("10.0"),
    }
    reasons = {kpi.kpi: kpi.reason for category in found.categories for kpi in category.kpis if kpi.reason}
    assert reasons == {"repeat_visit": "no_data"}


def test_a_category_without_values_leaves_the_score() -> None:
    found = health(measured() | {"satisfaction": [Measure("nps", 1, None, Goal(50))]})
    assert points(found)["satisfaction"] is None
    assert (found.score, found.band, found.is_partial) == (78, "yellow", True)  # 62.5 of 80 points: 78.125


def test_without_any_value_there_is_no_health() -> None:
    found = health({"adoption": [Measure("dau", 1, None, Goal(5)), Measure("wau", 1, 7, None)]})
    assert (found.score, found.band) == (None, None)
    assert [kpi.reason for kpi in found.categories[0].kpis] == ["no_data", "no_target"]


def named(of: ChurnRisk) -> list[tuple[str, int]]:
    return [(reason.name, reason.points) for reason in of.reasons]


def test_churn_risk_names_every_factor() -> None:
    found = churn_risk(
        {"days_to_contract_end": 60, "dau_share": 0.25, "training_completion": 0.5, "nps": 45, "downtime_h": 6.5},
        {"stakeholder_departed", "sponsor_engaged"},
        POINTS,
    )
    # 25 downtime + 25 stakeholder + 10 contract + 10 share below 30 % (not also below 50 %) + 10 NPS up to 50 - 5 sponsor
    assert named(found) == [
        ("downtime_above_5_hours", 25),
        ("stakeholder_departed", 25),
        ("contract_last_90_days", 10),
        ("dau_share_below_30", 10),
        ("nps_up_to_50", 10),
        ("sponsor_engaged", -5),
    ]
    assert (found.score, found.band) == (75, "red")
    assert found.reasons[0].value == 6.5


def test_of_the_rows_of_one_group_the_strictest_counts() -> None:
    assert named(churn_risk({"dau_share": 0.05, "nps": 20}, (), POINTS)) == [("dau_share_below_10", 20), ("nps_below_30", 20)]
    assert named(churn_risk({"dau_share": 0.1, "nps": 30}, (), POINTS)) == [("dau_share_below_30", 10), ("nps_up_to_50", 10)]
    assert named(churn_risk({"dau_share": 0.5, "nps": 51}, (), POINTS)) == []


def test_what_is_not_known_is_no_reason_and_risk_is_not_below_0() -> None:
    assert churn_risk({"nps": None}, (), POINTS) == ChurnRisk(0, "green", ())
    found = churn_risk({}, {"multi_year_contract", "milestone_hit", "billing_questions"}, POINTS)
    assert (found.score, found.band, len(found.reasons)) == (0, "green", 3)


def test_a_tenants_own_points_count() -> None:
    found = churn_risk({"days_past_renewal": 3}, {"merger"}, {**POINTS, "renewal_past_due": 40, "merger": 0})
    assert (named(found), found.band) == ([("renewal_past_due", 40)], "yellow")


@pytest.mark.parametrize(
    ("score", "band"), [(0, "green"), (20, "green"), (21, "yellow"), (40, "yellow"), (41, "orange"), (60, "orange"), (61, "red")]
)
def test_bands_begin_where_the_table_says(score: int, band: str) -> None:
    assert band_of(score) == band
