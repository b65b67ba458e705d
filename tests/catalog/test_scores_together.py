"""Scores of many customers at once are those of each by itself, with the same reasons."""

from dataclasses import replace
from itertools import product
from typing import Any

import asyncpg
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.catalog import Question, declared_of, run
from service.catalog.figures import Figures, Place, has_figures, of_values, read_figures
from service.clock import DAY
from service.demo import pilot
from service.domain.churn import churn_risk
from service.domain.churn_columns import churn_risks
from service.domain.churn_table import POINTS, ROWS
from service.domain.churn_table import Measure as Measured
from service.domain.config import parse
from service.domain.health import Goal, Measure, health
from service.domain.health_columns import Column, healths
from tests.catalog.accounts import store_family
from tests.catalog.pilot import store_pilot_week
from tests.catalog.rollups import make_tenant
from tests.catalog.test_adding import CATALOG, store_streams, windows
from tests.catalog.test_pilot_sets import MONDAY
from tests.catalog.test_satisfaction import answer

MEASURES: tuple[Measured, ...] = tuple(dict.fromkeys(row.condition.measure for row in ROWS if row.condition))
SIGNALS = [row.name for row in ROWS if row.is_signal]
# Bounds of the table and numbers beside them, so that every condition is met by some and missed by others.
NUMBERS = (
    st.none()
    | st.sampled_from((0, 0.05, 0.1, 0.29, 0.3, 0.5, 0.6, 3, 5, 5.5, 6, 20, 30, 30.5, 50, 90, 91))
    | st.integers(-200, 400)
)
VALUES = st.none() | st.integers(-5, 200) | st.floats(-10, 1_000, allow_nan=False) | st.sampled_from((0.125, 0.35, 0.0625, 0.7))
Weighed = tuple[float, Goal | None]
GOALS = st.none() | st.builds(
    Goal,
    target=st.none() | st.sampled_from((0.0, 0.8, 0.5, 3.0, 500.0)),
    higher=st.booleans(),
    limit=st.none() | st.sampled_from((0.0, 2.0)),
    range=st.none() | st.just((8.0, 10.0)),
)


@given(
    st.lists(st.tuples(*[NUMBERS for _ in MEASURES], st.sets(st.sampled_from(SIGNALS))), max_size=12),
    st.dictionaries(st.sampled_from(list(POINTS)), st.integers(-60, 60)),
)
def test_risks_of_many_are_those_of_each(rows: list[tuple[Any, ...]], own: dict[str, int]) -> None:
    points = {**POINTS, **own}
    columns = {measure: [row[place] for row in rows] for place, measure in enumerate(MEASURES)}
    together = churn_risks(columns, [row[-1] for row in rows], points)
    each = [churn_risk(dict(zip(MEASURES, row[:-1], strict=True)), row[-1], points) for row in rows]
    assert together.scores == [risk.score for risk in each]
    assert together.bands == [risk.band for risk in each]
    told = ["; ".join(f"{reason.sentence} ({reason.points:+d})" for reason in risk.reasons[:3]) for risk in each]
    assert together.notes(3) == told


@given(
    st.lists(st.tuples(st.sampled_from((1, 2, 3, 0.5)), GOALS), min_size=3, max_size=5),
    st.lists(st.tuples(*[VALUES for _ in range(5)]), min_size=1, max_size=12),
)
def test_healths_of_many_are_those_of_each(
    declared: list[tuple[float, Goal | None]], rows: list[tuple[float | None, ...]]
) -> None:
    categories = {"adoption": range(2), "delivery": range(2, len(declared))}
    each = [
        health(
            {name: [Measure(f"kpi_{n}", declared[n][0], row[n], declared[n][1]) for n in of] for name, of in categories.items()}
        )
        for row in rows
    ]
    columns = {
        name: [Column(f"kpi_{n}", declared[n][0], [row[n] for row in rows], declared[n][1]) for n in of]
        for name, of in categories.items()
    }
    together = healths(columns, len(rows), each.__getitem__)
    assert together.scores.tolist() == [-1 if one.score is None else one.score for one in each]
    for place, name in enumerate(categories):
        points = [one.categories[place].points for one in each]
        assert together.tenths[name].tolist() == [-1 if those is None else int(those * 10) for those in points]
    scored = [[kpi for category in one.categories for kpi in category.kpis] for one in each]
    costs = np.stack([tenths for _, tenths in together.costs], axis=1).tolist()
    assert costs == [[int(kpi.cost * 10) for kpi in kpis] for kpis in scored]
    ordered = [sorted(((kpi.cost, kpi.kpi) for kpi in kpis if kpi.cost), reverse=True)[:2] for kpis in scored]
    assert together.notes(2) == ["; ".join(f"{name} (-{cost})" for cost, name in those) for those in ordered]


def test_who_is_in_doubt_or_has_goals_of_their_own_is_scored_alone() -> None:
    asked: list[int] = []
    one = health({"adoption": [Measure("wau", 1, 4, Goal(8.0))]})

    def alone(number: int) -> Any:
        asked.append(number)
        return one

    # 0.5125 of 20 points are 10.25, in the middle of two tenths; the last one has its own goal.
    found = healths({"adoption": [Column("wau", 1, [4, 4.1, 8], Goal(8.0))]}, 3, alone, own=[2])
    assert asked == [1, 2]
    assert found.scores.tolist() == [50, 50, 50]


async def test_figures_by_account_are_what_the_kpis_answer(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "pilot", "UTC")
    await store_streams(connection, tenant)
    await store_pilot_week(connection, tenant)
    answers = [
        answer(MONDAY + 2 * DAY, f"u{n}", n % scale + 1, survey, account, scale=scale)
        for n, (survey, scale, account) in enumerate(product(("csat", "onboarding_csat"), (5, 7), ("acme", "umbrella", "acme")))
    ]
    await store_family(connection, tenant, "feedback", answers)
    declared = {tenant: declared_of(parse(pilot.configuration(), known_kpis=CATALOG.shapes()))}
    compared = set()
    for kpi in CATALOG.kpis.values():
        fitting = [window for window in windows(tenant) if kpi.takes(window.name)]
        if kpi.head.kind in {"score", "formula"} or kpi.head.required or not kpi.splits_by("account") or not fitting:
            continue
        for statistic in (name for name in kpi.statistics if has_figures(kpi, name)):
            question = Question(by=("account",), statistics=(statistic,))
            expected = of_values(await run(connection, kpi, fitting, question, declared=declared))
            found = await read_figures(connection, kpi, fitting, question, declared)
            assert told(found) == told(expected), f"{kpi.id}.{statistic}"
            compared |= {(kpi.id, type(value)) for of in found.values() for value in of.values.values()}
    assert {("tickets", int), ("csat", float), ("adoption_score", float), ("delivery_on_time", float), ("wau", int)} <= compared


async def test_of_equal_rows_of_an_account_the_same_one_counts_whoever_is_asked_together(connection: asyncpg.Connection) -> None:
    kpi, accounts = CATALOG.kpis["csat"], [f"account-{n}" for n in range(40)]
    of_all, question = [], Question(by=("account",), statistics=("top2",))
    for number in range(4):
        tenant = await make_tenant(connection, f"tenant-{number}", "UTC")
        # Of each account one answer to either survey: as many, and of another value.
        said = [
            answer(MONDAY + 2 * DAY, account, score, survey, account, scale=5)
            for account in accounts
            for survey, score in (("a_csat", 5), ("b_csat", 1))
        ]
        await store_family(connection, tenant, "feedback", said)
        of_all += [window for window in windows(tenant) if kpi.takes(window.name)]
    of_all = [replace(window, key=place) for place, window in enumerate(of_all)]
    together = await read_figures(connection, kpi, of_all, question, {})
    assert told(together) == told(of_values(await run(connection, kpi, of_all, question)))
    for window in of_all:
        alone = await read_figures(connection, kpi, [window], question, {})
        place = (window.tenant, window.key)
        assert told(alone).get(place) == told(together).get(place)
    assert {value for of in together.values() for value in of.values.values()} == {1.0}


def told(figures: dict[Place, Figures]) -> dict[Any, Any]:
    """Figures with the types of their values; units that a row does not have are not told."""
    return {
        place: {
            account: (value, type(value), of.numerators[account], of.denominators[account])
            for account, value in of.values.items()
        }
        for place, of in figures.items()
    }


def test_of_rows_of_several_units_the_one_of_most_counts_and_of_empty_ones_none() -> None:
    figures = Figures()
    rows = [("a", 1.0, 2, 2), ("a", 3.0, 9, 3), ("a", 4.0, 12, 3), ("b", 7, 7, None), ("b", 8, 8, None), ("c", 5, 5, None)]
    for number, row in enumerate(rows):
        figures.put(*row, {"scale": str(number)})
    assert figures.values == {"a": 3.0, "b": None, "c": 5}
    assert figures.units["a"] == {"scale": "1"}
    assert figures.numerators["a"] == 9
