"""What support was promised and what was kept: attainment by tier, every miss, credits as money and as a share of the fee."""

from typing import Any

from tests.reports.conftest import Told
from tests.reports.test_weekly import block

MONTH = {"window": "month", "end": "2025-12-01T00:00:00Z", "format": "json"}


def _event(family: str, subject: str, at: str, account: str = "", /, **data: Any) -> dict[str, Any]:
    head = {"specversion": "1.0", "id": f"{subject}-{at}-{len(data)}", "source": "/desk", "type": f"io.tidegauge.{family}.v1"}
    named = {"account": account} if account else {}
    return {**head, **named, "subject": subject, "time": f"2025-11-{at}:00Z", "data": data}


def _ticket(number: int, *steps: tuple[str, str], priority: str, account: str = "northwind") -> list[dict[str, Any]]:
    """A ticket of a customer: its steps, the opening first."""
    first = {"priority": priority, "category": "how_to"}
    return [
        _event("ticket", f"N-{number}", at, account, action=action, **(first if action == "opened" else {}))
        for action, at in steps
    ]


EVENTS = [
    _event("account", "northwind", "03T09:00", tier="enterprise", status="active", mrr={"amount": 1_000_000, "currency": "USD"}),
    *_ticket(1, ("opened", "18T10:00"), ("first_response", "18T15:00"), ("resolved", "19T10:00"), priority="P2"),
    *_ticket(2, ("opened", "17T10:00"), ("first_response", "17T11:00"), ("resolved", "18T10:00"), priority="P3"),
    *_ticket(3, ("opened", "19T10:00"), ("first_response", "19T10:30"), priority="P1"),
    _event("usage", "una", "18T10:00", "globex", feature="dashboard"),
]
"""Of an enterprise: an answer that took 5 hours of support where 4 were promised, and a resolution that is due and not there."""


def texts(found: dict[str, Any]) -> list[list[str]]:
    return [[cell["text"] for cell in row] for row in found["rows"]]


def statuses(found: dict[str, Any], column: str) -> list[str | None]:
    return [row[found["columns"].index(column)].get("status") for row in found["rows"]]


async def test_the_sla_report_says_what_each_tier_attained_what_was_missed_and_what_is_owed(told: Told) -> None:
    await told.take_in(EVENTS)
    report = (await told.get("/v1/reports/sla", **MONTH)).json()
    by_tier = block(report, "By tier")
    assert texts(by_tier)[0] == ["enterprise", "3 tickets", "≥ 99.5 %", "33.3 %", "66.7 %", "66.7 %", "1 ticket", "1 ticket"]
    assert [row[0] for row in texts(by_tier)][:3] == ["enterprise", "mid_market", "starter"]
    assert [row[2] for row in texts(by_tier)][:3] == ["≥ 99.5 %", "≥ 98 %", "≥ 95 %"]
    assert statuses(by_tier, "within both limits")[0] == "red"
    missed = [(row["selector"], row["target"]) for row in block(report, "What misses its target")["rows"]]
    assert ("support_sla{tier=enterprise}", "≥ 99.5 %") in missed
    assert texts(block(report, "Limits that were missed")) == [
        ["N-1", "northwind", "enterprise", "P2", "response 4bh", "2025-11-18T14:00:00Z", "2025-11-18T15:00:00Z", "1 h"],
        ["N-3", "northwind", "enterprise", "P1", "resolution 24h", "2025-11-20T10:00:00Z", "not yet", ""],
    ]
    credits = next(section for section in report["sections"] if section["title"] == "Credits")["blocks"][0]
    assert texts(credits) == [["northwind", "1,500.00 USD", "15 %", "2 misses", "0 accounts"]]


async def test_a_count_of_nothing_is_0_and_a_share_of_nothing_none(told: Told) -> None:
    await told.take_in(EVENTS)
    report = (await told.get("/v1/reports/weekly", format="json")).json()
    assert [row[1:] for row in texts(block(report, "By account")) if row[0] == "globex"] == [["1 user", "1 use", "0 tickets"]]
    by_severity = block(report, "By severity")
    [none] = [row for row in by_severity["rows"] if row[0]["text"] == "P0"]
    assert [(cell["text"], cell.get("note")) for cell in none[1:]] == [("0 incidents", None), ("–", "no data"), ("–", "no data")]


async def test_a_report_of_yesterday_does_not_speak_of_today(told: Told) -> None:
    report = (await told.get("/v1/reports/daily", format="json")).json()
    assert report["days"] == "23 November 2025"
    assert [section["title"] for section in report["sections"]] == ["The day", "Use", "Incidents and tickets"]
