"""Limits of tickets, the worked cases of the contract and more: when each ends, whether it was met, how far to escalate."""

from datetime import datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from service.clock import DAY, HOUR, MINUTE, to_us
from service.domain.config import TenantConfig
from service.domain.support.credits import TERMS, credit, percent
from service.domain.support.escalation import level, steps_of
from service.domain.support.hours import SupportCalendar, hours_over
from service.domain.support.judging import Due, Facts, State, judge, settled
from service.domain.support.rules import Described, Measure, rules_of

FAR = datetime(2026, 6, 1, tzinfo=ZoneInfo("UTC"))


def at(text: str) -> int:
    return to_us(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York")))


def judged(
    opened: str,
    priority: str,
    *,
    tier: str = "enterprise",
    holidays: tuple[str, ...] = (),
    rules: tuple[dict[str, Any], ...] = (),
    now: str = "2026-06-01T00:00",
    gaps: tuple[tuple[str, str], ...] = (),
    excluded: bool = False,
    **moments: str,
) -> dict[Measure, Due]:
    """Every limit of a ticket of New York, as it stands at `now`; moments and `go_live` by the wall clock there."""
    config = TenantConfig.model_validate(
        {"tenant": {"timezone": "America/New_York", "holidays": list(holidays)}, "sla": list(rules)}, strict=False
    )
    go_live = moments.pop("go_live", None)
    described = Described(
        at(opened), priority, category="billing", account="acme", tier=tier, go_live_us=at(go_live) if go_live else None
    )
    facts = Facts(
        described,
        **{f"{name}_us": at(text) for name, text in moments.items()},
        gaps=tuple((at(a), at(b)) for a, b in gaps),
        excluded=excluded,
    )
    hours = hours_over(SupportCalendar.of(config), [at(opened)])
    return {due.measure: due for due in judge(facts, rules_of(config.sla_rules), hours, at(now))}


@pytest.mark.parametrize(
    ("opened", "priority", "measure", "due"),
    [
        ("2025-11-21T17:00", "P2", "response", "2025-11-24T12:00"),  # 4 bh from Friday 17:00
        ("2025-11-19T10:00", "P3", "resolution", "2025-11-26T10:00"),  # 5 bd from Wednesday 10:00
        ("2025-11-21T17:59", "P2", "response", "2025-11-24T12:59"),  # a minute of Friday
        ("2025-11-21T18:00", "P2", "response", "2025-11-24T13:00"),
        ("2025-11-22T12:00", "P2", "response", "2025-11-24T13:00"),  # on a Saturday
        ("2025-10-31T17:00", "P2", "response", "2025-11-03T12:00"),  # over the night in which the clocks go back
        ("2026-03-06T17:00", "P2", "response", "2026-03-09T12:00"),  # over the one in which they go forward
        ("2025-11-01T12:00", "P0", "resolution", "2025-11-02T11:00"),  # 24 hours by the clock are 24 hours
        ("2025-11-21T17:00", "P0", "response", "2025-11-21T17:30"),
        ("2025-11-21T17:00", "P0", "mitigation", "2025-11-21T21:00"),
        ("2025-11-21T17:00", "P0", "resolution", "2025-11-22T17:00"),
        ("2025-11-21T17:00", "P1", "response", "2025-11-24T10:00"),  # in hours: 2 bh
        ("2025-11-21T19:00", "P1", "response", "2025-11-21T23:00"),  # out of them: 4 h
        ("2025-11-21T17:00", "P2", "resolution", "2025-11-23T17:00"),
        ("2025-11-21T09:00", "P3", "response", "2025-11-21T17:00"),
    ],
)
def test_enterprise_limits_end_when_the_contract_says(opened: str, priority: str, measure: Measure, due: str) -> None:
    assert judged(opened, priority)[measure].due_us == at(due)


def test_two_business_hours_over_a_holiday_monday_end_on_tuesday() -> None:
    rule = {"category": "billing", "response": "2bh"}
    found = judged("2025-11-21T17:30", "P3", holidays=("2025-11-24",), rules=(rule,))
    assert found["response"].due_us == at("2025-11-25T10:30")


def test_a_ticket_opened_on_a_holiday_begins_on_the_next_business_day() -> None:
    found = judged("2025-11-27T11:00", "P2", holidays=("2025-11-27",))
    assert found["response"].due_us == at("2025-11-28T13:00")


@pytest.mark.parametrize(
    ("tier", "priority", "wanted"),
    [
        ("enterprise", "P0", {"response": "30m", "mitigation": "4h", "resolution": "24h"}),
        ("enterprise", "P1", {"response": "2bh", "resolution": "24h"}),
        ("enterprise", "P2", {"response": "4bh", "resolution": "48h"}),
        ("enterprise", "P3", {"response": "8bh", "resolution": "5bd"}),
        ("mid_market", "P0", {"response": "1h", "mitigation": "8h"}),
        ("mid_market", "P1", {"response": "4bh", "resolution": "2bd"}),
        ("mid_market", "P2", {"response": "8bh", "resolution": "3bd"}),
        ("mid_market", "P3", {"response": "1bd", "resolution": "7bd"}),
        ("starter", "P0", {"response": "4bh", "resolution": "2bd"}),
        ("starter", "P1", {"response": "8bh", "resolution": "3bd"}),
        ("starter", "P2", {"response": "1bd", "resolution": "5bd"}),
        ("starter", "P3", {"response": "2bd", "resolution": "10bd"}),
        ("", "P0", {}),
        ("enterprise", "", {}),
    ],
)
def test_every_tier_and_priority_has_its_limits(tier: str, priority: str, wanted: dict[str, str]) -> None:
    found = judged("2025-11-19T10:00", priority, tier=tier)
    assert {measure: due.limit.text for measure, due in found.items()} == wanted


def test_of_several_rules_the_stricter_counts_whichever_its_unit() -> None:
    loose, strict = {"account": "acme", "response": "9h"}, {"category": "billing", "priority": "P2", "response": "150m"}
    assert judged("2025-11-19T10:00", "P2", rules=(loose,))["response"].limit.text == "4bh"
    assert judged("2025-11-19T10:00", "P2", rules=(loose, strict))["response"].limit.text == "150m"
    # On a Friday evening nine hours by the clock are stricter than four of support.
    assert judged("2025-11-21T17:00", "P2", rules=(loose,))["response"].limit.text == "9h"
    other = {"account": "beta", "response": "1m"}, {"tier": "starter", "response": "1m"}, {"category": "login", "response": "1m"}
    assert judged("2025-11-19T10:00", "P2", rules=other)["response"].limit.text == "4bh"


def test_the_first_days_after_go_live_have_limits_of_their_own() -> None:
    rule = {"within_days_of_go_live": 7, "response": "1bh"}
    for go_live, wanted in (
        ("2025-11-19T10:00", "1bh"),
        ("2025-11-12T10:01", "1bh"),
        ("2025-11-12T10:00", "4bh"),
        ("2025-11-19T10:01", "4bh"),
    ):
        assert judged("2025-11-19T10:00", "P2", rules=(rule,), go_live=go_live)["response"].limit.text == wanted
    assert judged("2025-11-19T10:00", "P2", rules=(rule,))["response"].limit.text == "4bh"


def test_a_limit_is_met_at_its_last_instant_and_missed_behind_it() -> None:
    met = judged("2025-11-21T17:00", "P2", first_response="2025-11-24T12:00")["response"]
    assert (met.state, met.used) == (State.MET, Fraction(1))
    assert judged("2025-11-21T17:00", "P2", first_response="2025-11-24T12:01")["response"].state is State.MISSED
    assert judged("2025-11-21T17:00", "P2", now="2025-11-24T12:00")["response"].state is State.RUNNING
    assert judged("2025-11-21T17:00", "P2", now="2025-11-24T12:01")["response"].state is State.MISSED


def test_what_is_resolved_is_answered_and_what_is_mitigated_is_not_yet_resolved() -> None:
    found = judged("2025-11-19T10:00", "P0", mitigated="2025-11-19T10:20", now="2025-11-19T12:00")
    assert {measure: due.state for measure, due in found.items()} == {
        "response": State.MET,
        "mitigation": State.MET,
        "resolution": State.RUNNING,
    }
    late = judged("2025-11-19T10:00", "P0", resolved="2025-11-19T14:30")
    assert {measure: due.state for measure, due in late.items()} == {
        "response": State.MISSED,
        "mitigation": State.MISSED,
        "resolution": State.MET,
    }


def test_the_time_between_resolved_and_reopened_does_not_count() -> None:
    # 4 hours on Wednesday, a day and a half resolved, and 20 hours are left.
    gap = ("2025-11-19T14:00", "2025-11-21T02:00")
    assert judged("2025-11-19T10:00", "P1", gaps=(gap,))["resolution"].due_us == at("2025-11-21T22:00")
    # In support hours: 7 on Friday, 2 on Wednesday, 9 and 9: 3 bd are 27 hours.
    gap = ("2025-11-21T16:00", "2025-11-26T16:00")
    found = judged("2025-11-21T09:00", "P2", tier="mid_market", gaps=(gap,), resolved="2025-11-28T18:00")
    assert found["resolution"].due_us == at("2025-11-28T18:00")
    assert (found["resolution"].state, found["resolution"].used) == (State.MET, Fraction(1))


def test_a_limit_that_was_passed_before_it_was_resolved_stays_missed_when_it_was_passed() -> None:
    gap = ("2025-11-21T10:00", "2025-11-22T10:00")
    found = judged("2025-11-19T10:00", "P1", gaps=(gap,), resolved="2025-11-22T11:00")["resolution"]
    assert (found.state, found.due_us) == (State.MISSED, at("2025-11-20T10:00"))


def test_an_excluded_ticket_has_no_limits() -> None:
    assert judged("2025-11-19T10:00", "P0", excluded=True) == {}


def test_what_is_left_is_told_by_the_clock_and_in_support_hours() -> None:
    found = judged("2025-11-21T17:00", "P2", now="2025-11-22T12:00")["response"]
    assert (found.left_us, found.left_business_us) == (2 * DAY, 3 * HOUR)
    assert found.used == Fraction(1, 4)
    late = judged("2025-11-21T17:00", "P2", now="2025-11-24T13:30")["response"]
    assert (late.left_us, late.left_business_us) == (-90 * MINUTE, -90 * MINUTE)


def test_several_limits_are_settled_by_the_first_miss_or_the_last_that_was_met() -> None:
    done = judged("2025-11-19T10:00", "P0", first_response="2025-11-19T10:10", resolved="2025-11-19T13:00")
    assert settled(done.values(), at("2026-01-01T00:00")) == (State.MET, at("2025-11-19T13:00"))
    missed = judged("2025-11-19T10:00", "P0", first_response="2025-11-19T10:40", resolved="2025-11-19T15:00")
    assert settled(missed.values(), at("2026-01-01T00:00")) == (State.MISSED, at("2025-11-19T10:30"))
    running = judged("2025-11-19T10:00", "P0", first_response="2025-11-19T10:10", now="2025-11-19T11:00")
    assert settled(running.values(), at("2025-11-19T11:00")) is None
    assert settled([], 0) is None


@pytest.mark.parametrize(
    ("priority", "now", "wanted"),
    [
        ("P2", "2025-11-19T10:30", 0),
        ("P2", "2025-11-19T13:00", 1),  # three quarters of 4 bh
        ("P2", "2025-11-19T14:00", 2),
        ("P2", "2025-11-19T16:00", 3),
        ("P2", "2025-11-19T18:00", 4),
        ("P1", "2025-11-19T10:01", 1),
        ("P1", "2025-11-19T14:00", 4),  # twice its 2 bh
        ("P0", "2025-11-19T10:01", 2),
    ],
)
def test_open_tickets_are_escalated_by_share_priority_and_age(priority: str, now: str, wanted: int) -> None:
    dues = list(judged("2025-11-19T10:00", priority, now=now).values())
    assert level(dues, steps_of(()), priority=priority, age_us=at(now) - at("2025-11-19T10:00")) == wanted


def test_the_age_of_a_p1_and_a_p0_escalates_past_four_hours() -> None:
    for priority, before, behind in (("P1", 1, 2), ("P0", 2, 3), ("P3", 0, 0)):
        assert level([], steps_of(()), priority=priority, age_us=4 * HOUR) == before
        assert level([], steps_of(()), priority=priority, age_us=4 * HOUR + 1) == behind


def test_a_declared_step_of_escalation_stands_beside_the_defaults() -> None:
    config = TenantConfig.model_validate({"escalation": [{"priority": "P3", "after": "2h", "level": 3}]})
    assert level([], steps_of(config.escalations), priority="P3", age_us=3 * HOUR) == 3
    assert level([], steps_of(config.escalations), priority="P3", age_us=HOUR) == 0


@pytest.mark.parametrize(
    ("tier", "responses", "resolutions", "wanted"),
    [
        ("enterprise", 1, 0, 5),
        ("enterprise", 0, 1, 10),
        ("enterprise", 1, 1, 15),
        ("enterprise", 4, 3, 15),
        ("enterprise", 2, 0, 15),
        ("mid_market", 1, 0, 3),
        ("mid_market", 0, 1, 5),
        ("mid_market", 2, 0, 10),
        ("starter", 2, 1, 4),
        ("starter", 50, 40, 100),
        ("starter", 0, 0, 0),
    ],
)
def test_credits_are_those_of_the_tier(tier: str, responses: int, resolutions: int, wanted: int) -> None:
    assert percent(TERMS[tier], responses=responses, resolutions=resolutions) == wanted


def test_money_is_rounded_half_even_to_the_minor_unit() -> None:
    assert [credit(5, fee) for fee in (10, 30, 50, 11, 9)] == [0, 2, 2, 1, 0]
    assert credit(100, 1_250_001) == 1_250_001
