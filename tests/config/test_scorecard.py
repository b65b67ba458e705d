"""A scorecard says what share of its rows is met, and how its critical ones stand."""

import pytest

from service.domain.scorecard import ScorecardRow, decide, summarise
from service.domain.targets import Status

GREEN, YELLOW, RED, NONE = Status.GREEN, Status.YELLOW, Status.RED, Status.NONE


def rows_of(**statuses: Status) -> list[ScorecardRow]:
    return [ScorecardRow(name, status) for name, status in statuses.items()]


def test_share_met_is_the_green_rows_of_those_that_were_judged() -> None:
    summary = summarise(rows_of(a=GREEN, b=YELLOW, c=RED, d=GREEN, e=NONE))
    assert (summary.met, summary.judged, summary.share_met) == (2, 4, 0.5)


def test_the_state_is_that_of_the_worst_critical_row() -> None:
    rows = rows_of(a=GREEN, b=YELLOW, c=RED)
    assert summarise(rows, ["a"]).state is GREEN
    assert summarise(rows, ["a", "b"]).state is YELLOW
    assert summarise(rows, ["c", "a"]).state is RED


def test_with_no_row_declared_critical_all_of_them_decide() -> None:
    assert summarise(rows_of(a=GREEN, b=RED)).state is RED


def test_a_critical_row_that_could_not_be_judged_is_named() -> None:
    summary = summarise(rows_of(a=GREEN, b=NONE), ["a", "b"])
    assert (summary.state, summary.unjudged_critical) == (GREEN, ("b",))


def test_a_scorecard_without_a_judged_row_has_no_share_and_no_state() -> None:
    summary = summarise(rows_of(a=NONE))
    assert (summary.met, summary.judged, summary.share_met, summary.state) == (0, 0, None, NONE)
    assert summarise([]).share_met is None


def test_a_critical_row_is_found_whatever_the_order_of_its_values() -> None:
    rows = [ScorecardRow("incidents{severity=P0,P1}", RED), ScorecardRow("wau", GREEN)]
    assert summarise(rows, ["incidents{severity=P1,P0}"]).state is RED


@pytest.mark.parametrize(
    ("health", "decision"),
    [(100, "go"), (80, "go"), (79, "conditional_go"), (60, "conditional_go"), (59, "no_go"), (0, "no_go"), (None, None)],
)
def test_the_health_score_decides(health: float | None, decision: str | None) -> None:
    assert decide(health) == decision
