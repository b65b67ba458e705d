"""What a KPI costs a customer: of its category's points, and of the score's where these are not the same."""

from service.domain.health import Goal, Measure, health
from service.reports import layout
from service.reports.numbers import NO_VALUE
from service.reports.standing import Standing, health_grid

MEASURES = [Measure("availability", 1, 0.5, Goal(target=1.0)), Measure("error_rate", 1, 1.0, Goal(target=1.0))]
ASK = layout.Health("Health")


def texts(standing: Standing) -> list[list[str]]:
    return [[cell.text for cell in row] for row in health_grid(ASK, standing).rows]


def test_points_that_are_lost_are_of_the_category_and_of_the_score_alike_where_all_categories_have_some() -> None:
    assert texts(Standing(health({"delivery": MEASURES, "reliability": MEASURES}))) == [
        ["delivery", "15.0 of 20", "availability (−5.0)"],
        ["reliability", "15.0 of 20", "availability (−5.0)"],
        ["health score", "75 of 100", ""],
    ]


def test_where_a_category_has_none_the_score_says_what_each_kpi_costs_it() -> None:
    # The one category stands for all: what costs it 5 of its 20 points costs the score 25 of its 100.
    assert texts(Standing(health({"delivery": [], "reliability": MEASURES}))) == [
        ["delivery", NO_VALUE, "no KPI of it has both a value and a target"],
        ["reliability", "15.0 of 20", "availability (−5.0)"],
        ["health score", "75 of 100", "availability (−25.0)"],
    ]
