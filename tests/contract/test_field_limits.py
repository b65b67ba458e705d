"""Every limit of every field, from both sides."""

import json
from typing import Any

import pytest

from service.domain.reasons import Reason

from .samples import event, verdict

M, W, R, L, N, T, X = (
    Reason.MISSING_FIELD,
    Reason.WRONG_TYPE,
    Reason.OUT_OF_RANGE,
    Reason.TOO_LONG,
    Reason.BAD_NAME,
    Reason.BAD_TIME,
    Reason.NOT_ALLOWED,
)
D400_MS = 400 * 86_400_000
NAMES = [
    ("usage", "feature"),
    ("user", "milestone"),
    ("delivery", "integration"),
    ("request", "service"),
    ("request", "method"),
    ("request", "region"),
    ("request", "error_kind"),
    ("probe", "component"),
    ("probe", "monitor"),
    ("probe", "region"),
    ("measurement", "meter"),
    ("measurement", "unit"),
    ("incident", "service"),
    ("incident", "kind"),
    ("incident", "cause"),
    ("account", "milestone"),
    ("recovery", "channel"),
    ("ticket", "category"),
    ("feedback", "survey"),
    ("feedback", "wave"),
    ("feedback", "category"),
    ("item", "kind"),
]
TEXTS = [
    ("delivery", "excluded"),
    ("request", "route"),
    ("request", "excluded"),
    ("probe", "excluded"),
    ("incident", "title"),
    ("account", "reason"),
    ("account", "phase"),
    ("ticket", "reason"),
    ("feedback", "about"),
    ("item", "title"),
    ("item", "priority"),
    ("item", "owner"),
]
MAPS = [("usage", "properties", 10), ("user", "traits", 20), ("measurement", "attributes", 8), ("account", "traits", 20)]
DURATIONS = [("usage", "duration_ms"), ("delivery", "latency_ms"), ("delivery", "limit_ms"), ("request", "latency_ms")]
COUNTS = [("delivery", "attempt", 1), ("request", "count", 1), ("measurement", "count", 1)]
COUNTS += [("incident", "affected_users", 0), ("incident", "action_items", 0)]
COUNTS += [("account", "licensed_users", 0), ("account", "size", 0)]
BOOLS = [
    ("usage", "ok"),
    ("delivery", "exhausted"),
    ("delivery", "automated"),
    ("request", "timeout"),
    ("probe", "up"),
    ("probe", "degraded"),
    ("probe", "planned"),
    ("incident", "outage"),
    ("recovery", "automated"),
    ("ticket", "first_contact"),
    ("ticket", "blocking"),
]
INSTANTS = [("delivery", "accepted_at"), ("probe", "announced_at")]
CHOICES: list[tuple[str, str, list[str]]] = [
    ("usage", "phase", []),
    ("user", "status", ["provisioned", "active", "deactivated"]),
    ("delivery", "direction", ["inbound", "outbound"]),
    ("delivery", "outcome", ["accepted", "retrying", "failed", "dead_lettered", "redelivered"]),
    ("incident", "severity", ["P0", "P1", "P2", "P3"]),
    (
        "incident",
        "action",
        ["detected", "acknowledged", "escalated", "updated", "mitigated", "resolved", "reopened", "postmortem_completed"],
    ),
    ("account", "status", ["prospect", "invited", "onboarding", "trial", "active", "at_risk", "churned"]),
    ("account", "tier", ["enterprise", "mid_market", "starter"]),
    ("recovery", "action", ["at_risk", "nudged", "recovered", "lost"]),
    ("ticket", "priority", ["P0", "P1", "P2", "P3"]),
    (
        "ticket",
        "action",
        ["first_response", "escalated", "updated", "mitigated", "resolved", "reopened", "excluded", "included"],
    ),
    ("feedback", "action", ["invited", "responded", "followed_up"]),
    ("feedback", "sentiment", ["positive", "neutral", "negative"]),
    ("item", "status", ["open", "mitigating", "closed"]),
    ("item", "probability", ["low", "medium", "high"]),
    ("item", "impact", ["low", "medium", "high"]),
]
MONEY = [
    ("account", "mrr"),
    ("account", "usage_fees"),
    ("account", "contract_value"),
    ("account", "expansion_potential"),
    ("recovery", "amount"),
    ("recovery", "incentive"),
    ("item", "value"),
]
DATES = [("account", "contract_start"), ("account", "contract_end"), ("account", "renewal"), ("item", "due")]
REQUIRED = [
    ("usage", "feature"),
    ("delivery", "integration"),
    ("delivery", "outcome"),
    ("request", "service"),
    ("request", "latency_ms"),
    ("probe", "component"),
    ("probe", "up"),
    ("probe", "interval_s"),
    ("measurement", "meter"),
    ("measurement", "value"),
    ("incident", "action"),
    ("recovery", "action"),
    ("ticket", "action"),
    ("feedback", "survey"),
    ("feedback", "score"),
    ("item", "kind"),
    ("item", "status"),
]
GOOD_NAMES = ["a", "a" * 100, "with space", "web_vital.lcp", "a~b", "é", "订单", "a/b:c-d"]
BAD_NAMES = ["", "a" * 101, "~other", "a,b", "a{b", "a}b", "a=b", 'a"b', "a\nb", "a\u200bb", "e\u0301", "a\x7f", "\u2028"]


def checked(family: str, field: str, value: Any) -> Reason | None:
    return verdict(event(family, {field: value}))


@pytest.mark.parametrize(("family", "field"), NAMES)
def test_a_name_keeps_to_the_rules_of_names(family: str, field: str) -> None:
    assert [checked(family, field, name) for name in GOOD_NAMES] == [None] * len(GOOD_NAMES)
    assert [checked(family, field, name) for name in BAD_NAMES] == [N] * len(BAD_NAMES)
    assert [checked(family, field, odd) for odd in (5, True, ["a"], {"a": 1})] == [W] * 4


@pytest.mark.parametrize(("family", "field"), TEXTS)
def test_free_text_is_bounded_and_otherwise_free(family: str, field: str) -> None:
    for good in ("", "x" * 256, '/orders/{id}?a=b,"c"', "~", "line\nline", "e\u0301"):
        assert checked(family, field, good) is None
    assert checked(family, field, "x" * 257) is L
    assert checked(family, field, 5) is W


@pytest.mark.parametrize(("family", "field", "most"), MAPS)
def test_a_map_holds_so_many_names_with_bounded_texts(family: str, field: str, most: int) -> None:
    assert checked(family, field, {f"key {n}": "v" for n in range(most)}) is None
    assert checked(family, field, {f"key {n}": "v" for n in range(most + 1)}) is L
    assert checked(family, field, {"k" * 100: "v" * 256, "empty": ""}) is None
    assert checked(family, field, {"k": "v" * 257}) is L
    for bad in BAD_NAMES:
        assert checked(family, field, {bad: "v"}) is N
    for odd in ({"k": 5}, {"k": None}, {"k": ["v"]}, ["k"], "k", 5):
        assert checked(family, field, odd) is W


@pytest.mark.parametrize(("family", "field"), DURATIONS)
def test_a_duration_lies_between_nothing_and_400_days(family: str, field: str) -> None:
    for good in (0, 0.0, 1, 1.5, 1e-9, D400_MS, 3.456e10):
        assert checked(family, field, good) is None
    for bad in (-1, -0.001, D400_MS + 1, D400_MS + 0.01, 1e300, 10**400):
        assert checked(family, field, bad) is R
    odd: Any
    for odd in ("1", True, [1], {}):
        assert checked(family, field, odd) is W


@pytest.mark.parametrize(("family", "field", "least"), COUNTS)
def test_a_count_is_a_whole_number_up_to_a_billion(family: str, field: str, least: int) -> None:
    for good in (least, 1, 10**9):
        assert checked(family, field, good) is None
    for bad in (least - 1, 10**9 + 1, 2**63, 2**64, 10**30, 10**400):
        assert checked(family, field, bad) is R
    odd: Any
    for odd in (1.0, 1.5, "1", True, [1]):
        assert checked(family, field, odd) is W


@pytest.mark.parametrize(("family", "field"), BOOLS)
def test_a_flag_is_true_or_false_and_nothing_like_it(family: str, field: str) -> None:
    assert [checked(family, field, good) for good in (True, False)] == [None, None]
    assert [checked(family, field, odd) for odd in (0, 1, "true", "", [0])] == [W] * 5


@pytest.mark.parametrize(("family", "field"), INSTANTS)
def test_an_instant_in_the_data_is_as_strict_as_the_events_time(family: str, field: str) -> None:
    assert checked(family, field, "2025-11-17T09:00:00+01:00") is None
    assert checked(family, field, "2025-11-17") is T
    assert checked(family, field, "") is T
    assert checked(family, field, 1763373600) is W


@pytest.mark.parametrize(("family", "field", "allowed"), CHOICES)
def test_a_choice_is_one_of_its_list(family: str, field: str, allowed: list[str]) -> None:
    assert [checked(family, field, good) for good in allowed] == [None] * len(allowed)
    assert [checked(family, field, bad) for bad in ("", "other", "ACTIVE", "P4")] == [R] * 4
    assert checked(family, field, 1) is W


@pytest.mark.parametrize(("family", "field"), REQUIRED)
def test_a_required_field_is_missed_and_null_is_as_missing(family: str, field: str) -> None:
    assert checked(family, field, ...) is M
    assert checked(family, field, None) is M


def test_null_is_the_same_as_leaving_an_optional_field_out() -> None:
    optional = [*TEXTS, *[(family, field) for family, field, _ in MAPS], *INSTANTS, *NAMES, *BOOLS, ("usage", "quantity")]
    for family, field in optional:
        if (family, field) not in REQUIRED:
            assert checked(family, field, None) is None


@pytest.mark.parametrize(("literal", "expected"), [
    ("1", None), ("0.000000001", None), ("1000000000000", None), ("1e12", None), ("1E-9", None),
    ("0", R), ("-1", R), ("0.0000000004", R), ("1000000000000.000000001", R), ("1e13", R), ("1e400", R), ("1e-400", R),
    ("1e99999999999999999999", R), ("-0", R), ('"1"', W), ("true", W), ("[1]", W), ("{}", W), ("NaN", R), ("Infinity", R),
])  # fmt: skip
def test_a_quantity_is_more_than_nothing_and_up_to_a_million_million(literal: str, expected: Reason | None) -> None:
    assert verdict(_with_literal(event("usage", {"quantity": 77777}), literal)) is expected


@pytest.mark.parametrize(("literal", "expected"), [
    ("0", None), ("-0.0", None), ("1e15", None), ("-1000000000000000", None), ("1e-400", None), ("0e999999999999", None),
    ("1000000000000000.000000001", R), ("-1e16", R), ("1e400", R), ("-1e400", R), ("1e99999999999999999999", R),
    ("NaN", R), ("-Infinity", R), ('"1.5"', W), ("false", W), ("[]", W), ('{"a":1}', W), ("null", M), ("9" * 5000, R),
])  # fmt: skip
def test_a_value_is_finite_and_up_to_a_thousand_million_million(literal: str, expected: Reason | None) -> None:
    assert verdict(_with_literal(event("measurement", {"value": 77777}), literal)) is expected


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"])
def test_a_number_that_is_not_finite_is_out_of_range_in_any_field(literal: str) -> None:
    for family, field in [*DURATIONS, *[(family, field) for family, field, _ in COUNTS], ("probe", "interval_s")]:
        assert verdict(_with_literal(event(family, {field: 77777}), literal)) is R


def _with_literal(document: dict[str, Any], literal: str) -> bytes:

    written = json.dumps(document)
    assert written.count("77777") == 1
    return written.replace("77777", literal).encode()


@pytest.mark.parametrize(("low", "high", "field", "family"), [
    (100, 599, "status", "request"), (1, 3600, "interval_s", "probe"), (1, 4, "level", "incident"),
    (1, 4, "level", "ticket"), (1, 5, "score", "feedback"),
])  # fmt: skip
def test_a_small_range_is_held_at_both_ends(low: int, high: int, field: str, family: str) -> None:
    assert [checked(family, field, good) for good in (low, high)] == [None, None]
    assert [checked(family, field, bad) for bad in (low - 1, high + 1, -1, 10**30)] == [R] * 4
    assert [checked(family, field, odd) for odd in (low + 0.5, float(low), str(low), True)] == [W] * 4


def test_a_session_id_is_1_to_256_characters() -> None:
    assert [checked("usage", "session", good) for good in ("s", "s" * 256)] == [None, None]
    assert checked("usage", "session", "") is R
    assert checked("usage", "session", "s" * 257) is L


def test_an_incident_names_at_most_100_accounts() -> None:
    assert checked("incident", "accounts", []) is None
    assert checked("incident", "accounts", ["a" * 128] * 100) is None
    assert checked("incident", "accounts", ["a"] * 101) is L
    assert checked("incident", "accounts", ["a" * 129]) is L
    assert checked("incident", "accounts", [""]) is R
    assert [checked("incident", "accounts", odd) for odd in ("a", [5], [None], {"a": "b"})] == [W] * 4


def test_a_currency_is_three_capital_letters_and_stands_in_place_of_a_unit() -> None:
    assert checked("measurement", "currency", "EUR") is None
    assert [checked("measurement", "currency", bad) for bad in ("eur", "E1R", "EÜR")] == [R] * 3
    assert [checked("measurement", "currency", bad) for bad in ("EU", "")] == [R] * 2
    assert [checked("measurement", "currency", bad) for bad in ("EURO", "EUR\n")] == [L] * 2
    assert verdict(event("measurement", {"currency": "EUR", "unit": "s"})) is X


def test_a_delivered_outcome_says_how_long_it_took() -> None:
    assert verdict(event("delivery", {"outcome": "delivered"})) is M
    assert verdict(event("delivery", {"outcome": "delivered", "latency_ms": 0})) is None


def test_a_request_has_a_status_or_timed_out() -> None:
    assert verdict(event("request", {"status": ...})) is M
    assert verdict(event("request", {"status": ..., "timeout": False})) is M
    assert verdict(event("request", {"status": ..., "timeout": True})) is None


def test_an_incident_says_its_severity_when_it_is_opened_or_changes() -> None:
    for action in ("opened", "severity_changed"):
        assert verdict(event("incident", {"action": action})) is M
        assert verdict(event("incident", {"action": action, "severity": "P2"})) is None


def test_only_sessions_have_phases_and_their_end_has_a_length() -> None:
    assert verdict(event("usage", {"phase": "start"})) is X
    assert verdict(event("usage", {"feature": "session", "phase": "start"})) is None
    assert verdict(event("usage", {"feature": "session", "phase": "end"})) is M
    assert verdict(event("usage", {"feature": "session", "phase": "end", "duration_ms": 5})) is None


def test_news_of_a_user_say_something() -> None:
    nothing: dict[str, Any]
    for nothing in ({}, {"traits": {}}, {"milestone": None}):
        assert verdict(event("user", {"status": ..., **nothing})) is M
    for something in ({"traits": {"role": "admin"}}, {"milestone": "signed_up"}, {"status": "active"}):
        assert verdict(event("user", {"status": ..., **something})) is None


@pytest.mark.parametrize(("family", "field"), MONEY)
def test_money_is_whole_minor_units_of_a_currency(family: str, field: str) -> None:
    for amount in (0, 1, -1, 10**15, -(10**15)):
        assert checked(family, field, {"amount": amount, "currency": "EUR"}) is None
    assert checked(family, field, {"amount": 5, "currency": "JPY", "note": "unknown fields are ignored"}) is None
    for amount in (10**15 + 1, -(10**15) - 1, 10**30):
        assert checked(family, field, {"amount": amount, "currency": "EUR"}) is R
    odd: Any
    for odd in (1.5, 1.0, "5", True, [5]):
        assert checked(family, field, {"amount": odd, "currency": "EUR"}) is W
    for currency in ("eur", "EU", ""):
        assert checked(family, field, {"amount": 5, "currency": currency}) is R
    assert checked(family, field, {"amount": 5, "currency": "EURO"}) is L
    for lacking in ({}, {"amount": 5}, {"currency": "EUR"}, {"amount": None, "currency": "EUR"}):
        assert checked(family, field, lacking) is M
    for odd in (5, "5 EUR", [5, "EUR"], True):
        assert checked(family, field, odd) is W
    if (family, field) not in REQUIRED:
        assert checked(family, field, None) is None


@pytest.mark.parametrize(("family", "field"), DATES)
def test_a_date_is_a_day_of_the_calendar_and_nothing_beside(family: str, field: str) -> None:
    for good in ("2026-03-31", "2024-02-29", "0001-01-01", "9999-12-31", None):
        assert checked(family, field, good) is None
    for bad in ("", "2025-02-29", "2026-3-31", "2026-03-31T00:00:00Z", "20260331", "2026-W14-2", "0000-01-01", "31.03.2026"):
        assert checked(family, field, bad) is T
    assert checked(family, field, "\uff12\uff10\uff12\uff16-03-31") is T
    assert [checked(family, field, odd) for odd in (20260331, ["2026-03-31"], {"day": 31})] == [W] * 3


@pytest.mark.parametrize(("literal", "expected"), [
    ("0", None), ("1", None), ("0.35", None), ("1.0", None), ("1e-9", None), ("-0.0", None), ("1e-400", None), ("null", None),
    ("1.000000001", R), ("-0.000000001", R), ("2", R), ("-1", R), ("1e400", R), ("NaN", R), ('"0.5"', W), ("true", W), ("[]", W),
])  # fmt: skip
def test_progress_is_a_share_from_0_to_1(literal: str, expected: Reason | None) -> None:
    assert verdict(_with_literal(event("account", {"progress": 77777}), literal)) is expected


def test_signals_are_names_that_are_raised_or_not() -> None:
    assert checked("account", "signals", {f"signal {n}": n % 2 == 0 for n in range(40)}) is None
    assert checked("account", "signals", {f"signal {n}": True for n in range(41)}) is L
    assert [checked("account", "signals", {bad: True}) for bad in BAD_NAMES] == [N] * len(BAD_NAMES)
    for odd in ({"merger": 1}, {"merger": "true"}, {"merger": None}, ["merger"], "merger"):
        assert checked("account", "signals", odd) is W


def test_news_of_an_account_say_something() -> None:
    nothing: dict[str, Any]
    for nothing in ({}, {"traits": {}}, {"signals": {}}, {"mrr": None}, {"progress": None}, {"reason": ""}):
        assert verdict(event("account", {"status": ..., **nothing})) is M
    something: dict[str, Any]
    for something in (
        {"tier": "starter"},
        {"licensed_users": 0},
        {"mrr": {"amount": 0, "currency": "USD"}},
        {"progress": 0},
        {"signals": {"merger": False}},
        {"traits": {"niche": "pets"}},
        {"renewal": "2026-03-31"},
        {"size": 0},
    ):
        assert verdict(event("account", {"status": ..., **something})) is None


def test_a_ticket_says_its_priority_when_it_is_opened_or_changes() -> None:
    for action in ("opened", "priority_changed"):
        assert verdict(event("ticket", {"action": action})) is M
        assert verdict(event("ticket", {"action": action, "priority": "P2"})) is None


def test_only_an_answer_needs_a_score() -> None:
    assert verdict(event("feedback", {"score": ...})) is M
    assert verdict(event("feedback", {"score": ..., "action": "responded"})) is M
    for action in ("invited", "followed_up"):
        assert verdict(event("feedback", {"score": ..., "action": action})) is None
        assert verdict(event("feedback", {"score": 9, "action": action})) is R


def test_a_score_lies_on_the_scale_of_its_survey() -> None:
    for survey in ("csat", "ces", "feature_csat"):
        for scale in (2, 5, 10):
            scored = [verdict(event("feedback", {"survey": survey, "scale": scale, "score": score})) for score in range(11)]
            assert scored == [None if 1 <= score <= scale else R for score in range(11)]
        assert [verdict(event("feedback", {"survey": survey, "scale": bad, "score": 1})) for bad in (1, 11)] == [R] * 2
    assert [verdict(event("feedback", {"survey": "nps", "score": score})) for score in (0, 5, 10)] == [None] * 3
    assert [verdict(event("feedback", {"survey": "nps", "score": score})) for score in (-1, 11)] == [R] * 2
    assert verdict(event("feedback", {"survey": "nps", "score": 4, "scale": 10})) is None
    assert verdict(event("feedback", {"survey": "nps", "score": 4, "scale": 5})) is X


def test_feedback_has_at_most_10_themes() -> None:
    assert checked("feedback", "themes", []) is None
    assert checked("feedback", "themes", ["t" * 100, *"abcdefghi"]) is None
    assert checked("feedback", "themes", list("abcdefghijk")) is L
    assert [checked("feedback", "themes", [bad]) for bad in BAD_NAMES] == [N] * len(BAD_NAMES)
    assert [checked("feedback", "themes", odd) for odd in ("a", [5], [None], {"a": "b"})] == [W] * 4
