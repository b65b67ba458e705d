"""Numbers as people read them."""

import pytest

from service.domain.trend import Change
from service.reports.numbers import change_text, readable, target_text, trend_text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "ratio", "–"),
        (0.6666666, "ratio", "66.7 %"),
        (1.0, "ratio", "100 %"),
        (0.0, "ratio", "0 %"),
        (0.9955357, "ratio", "99.55 %"),
        (0.9999, "ratio", "99.99 %"),
        (0.00015337, "ratio", "0.015 %"),
        (-0.25, "ratio", "-25 %"),
        (452.7, "s", "7.5 min"),
        (129_600.0, "s", "1.5 d"),
        (0.0, "s", "0 s"),
        (416.93, "ms", "417 ms"),
        (2.25, "ms", "2.25 ms"),
        (123_450.0, "USD", "1,234.50 USD"),
        (1234.0, "JPY", "1,234 JPY"),
        (1_234_567.0, "KWD", "1,234.567 KWD"),
        (163_000.0, "requests", "163,000 requests"),
        (7.2, "", "7.2"),
        (1.0, "users", "1 user"),
        (1.0, "misses", "1 miss"),
        (1.0, "USD", "0.01 USD"),
    ],
)
def test_a_value_reads_as_people_write_it(value: float | None, unit: str, text: str) -> None:
    assert readable(value, unit) == text


def test_a_target_says_how_it_is_met() -> None:
    assert target_text(">=", 0.95, "ratio") == "≥ 95 %"
    assert target_text("<", 300.0, "ms") == "< 300 ms"
    assert target_text("range", (8.0, 10.0), "users") == "8 – 10 users"
    assert target_text("range", (0.8, 0.95), "ratio") == "80 – 95 %"
    assert target_text("range", (100_000.0, 2_000_000.0), "USD") == "1,000.00 – 20,000.00 USD"
    assert target_text("range", (90.0, 7_200.0), "s") == "1.5 min – 2 h"
    assert target_text("range", (1.5, 2.0), "") == "1.5 – 2"
    assert target_text(None, None, "users") == ""


def test_a_score_changes_by_points() -> None:
    assert change_text(12.5, 50.0, "points") == "-37.5 points"
    assert change_text(50.0, 0.0, "points") == "+50.0 points"


def test_a_change_is_relative_but_of_ratios_and_from_nothing() -> None:
    assert change_text(12.0, 10.0, "users") == "+20.0 %"
    assert change_text(0.7, 0.66, "ratio") == "+4.0 pp"
    assert change_text(3.0, 0.0, "incidents") == "+3 incidents"
    assert change_text(0.0, 0.0, "incidents") == "±0"
    assert change_text(None, 1.0, "users") == ""


def test_a_change_that_rounds_to_nothing_has_no_minus() -> None:
    assert change_text(0.49999, 0.5, "ratio") == "+0.0 pp"
    assert change_text(99.999, 100.0, "users") == "+0.0 %"


def test_a_change_of_few_says_so() -> None:
    assert trend_text(Change(1.0, trend="up", verdict="better")) == "better"
    assert trend_text(Change(1.0, trend="up")) == "up"
    assert trend_text(Change(1.0, trend="stable")) == "stable"
    assert trend_text(Change(None)) == ""
    assert trend_text(Change(1.0, 0.5, trend="stable", few=True)) == "too few to tell"
    assert trend_text(Change(1.0, -1.0, trend="down", verdict="worse", few=True)) == "worse, of few"
    assert trend_text(Change(0.0, 0.0, trend="stable", few=True)) == "stable"
