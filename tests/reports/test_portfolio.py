"""The churn-risk portfolio as a report: the figures of `/v1/portfolio`, as a page."""

from typing import Any

from tests.reports.conftest import Told

WEEK_END = "2025-11-24T00:00:00Z"


def _account(account: str, at: str, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"portfolio-{account}-{at}",
        "source": "/crm",
        "type": "io.tidegauge.account.v1",
        "subject": account,
        "time": at,
        "data": data,
    }


def usd(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


EVENTS = [
    _account("initech", "2025-06-02T09:00:00Z", status="active", mrr=usd(600_000), contract_value=usd(9_000_000)),
    _account("gone", "2025-06-02T09:00:00Z", status="active", mrr=usd(100_000)),
    _account("calm", "2025-06-02T09:00:00Z", status="active", mrr=usd(300_000), contract_value=usd(100_000)),
    _account("calm", "2025-07-02T09:00:00Z", expansion_potential=usd(50_000)),
    _account("gone", "2025-10-02T09:00:00Z", status="churned", reason="price"),
    _account("initech", "2025-11-19T09:00:00Z", signals={"contract_disputed": True, "stakeholder_departed": True}),
]
"""Nobody uses anything there, which makes 20; beside the pilot's four customers, of whom few were trained, which makes 15."""


def blocks(report: dict[str, Any]) -> dict[str, list[list[str]]]:
    """The tables by their titles: what stands in their cells."""
    return {
        block["title"]: [[cell["text"] for cell in row] for row in block["rows"]]
        for section in report["sections"]
        for block in section["blocks"]
        if block["type"] == "grid"
    }


async def test_the_portfolio_says_who_may_leave_why_and_what_it_would_cost(told: Told) -> None:
    await told.take_in(EVENTS)
    report = (await told.get("/v1/reports/portfolio", format="json")).json()
    assert report["end"] == WEEK_END
    found = blocks(report)
    of_initech = ["initech", "75", "20"]
    assert [row[:3] for row in found["The highest risk first"]] == [of_initech]
    assert found["By band"] == [
        ["green", "5", "83.3 %", "3,000.00 USD (33.3 %)"],
        ["yellow", "0", "0 %", "–"],
        ["orange", "0", "0 %", "–"],
        ["red", "1", "16.7 %", "6,000.00 USD (66.7 %)"],
    ]
    assert found["Moves since a week before"] == [["green", "red", "1"]]
    assert found["Who stayed of those of three months before"] == [["green", "3", "2", "66.7 %", "9,000.00 USD (90 %)"]]
    assert found["Risk, contract value and expansion"] == [
        ["red", "high", "none", "1", "6,000.00 USD (66.7 %)"],
        ["green", "low", "high", "1", "3,000.00 USD (33.3 %)"],
        ["green", "none", "none", "4", "–"],
    ]
    assert [row[1] for row in found["What speaks against customers"]] == ["4", "2", "1", "1"]
    picture = next(block for block in report["sections"][0]["blocks"] if block["type"] == "picture")
    assert [(point["x"], point["y"]) for point in picture["points"]] == [("green", 5), ("yellow", 0), ("orange", 0), ("red", 1)]
    for form in ("html", "md"):
        text = (await told.get("/v1/reports/portfolio", format=form)).text
        assert "orange" in text
        assert "the contract is disputed (+30); a stakeholder left (+25); nobody used the product for 30 days (+20)" in text
    assert (await told.get("/v1/reports/portfolio", format="pdf")).content.startswith(b"%PDF-")


async def test_a_portfolio_of_no_customers_says_so(told: Told) -> None:
    text = (await told.get("/v1/reports/portfolio", format="md", window="week", end="2025-03-03T00:00:00Z")).text
    for said in ("There is no customer.", "No customer is at risk.", "No customer went from one band to another."):
        assert said in text
