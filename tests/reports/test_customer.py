"""The scorecard of one customer: its own figures, judged by its own targets; what is decided, and why."""

from typing import Any

import pytest

from service.demo import pilot
from tests.reports.conftest import Told
from tests.reports.test_weekly import block

OWN = """
[scorecard.use]
critical = ["wau"]
rows = ["wau", "wau{account=ecoventures}", "wau_share", "delivery_on_time", "timeliness.p95", "tickets"]
[[target]]
kpi = "wau"
op = ">="
target = 12
[[target]]
kpi = "wau"
where = { account = "greentech" }
op = ">="
target = 6
limit = 4
benchmark = [3, 5]
[[target]]
kpi = "delivery_on_time"
where = { integration = "sap" }
op = ">="
target = 0.9
[health.engagement]
wau_share = 1
[health.reliability]
availability = 1
[health.adoption]
user_activation = 1
"""
STATUS = {
    "specversion": "1.0",
    "id": "s",
    "source": "/crm",
    "type": "io.tidegauge.account.v1",
    "subject": "greentech",
    "time": "2025-11-19T09:00:00Z",
    "data": {"status": "active", "signals": {"contract_disputed": True}},
}
WEEK = {"window": "week", "end": "2025-11-24T00:00:00Z"}


def _delivery(number: int, account: str, outcome: str) -> dict[str, Any]:
    data = {"integration": "sap", "outcome": outcome, "latency_ms": 100}
    head = {
        "specversion": "1.0",
        "id": f"d{number}",
        "source": "/sap",
        "type": "io.tidegauge.delivery.v1",
        "subject": f"d{number}",
    }
    return {**head, "account": account, "time": "2025-11-20T09:00:00Z", "data": data}


@pytest.fixture
async def declared(told: Told) -> Told:
    """The pilot with a scorecard of use: greentech is a customer in a dispute, whose deliveries fail."""
    async with told.site.pool.acquire() as connection:
        await connection.execute("delete from config_version")
        await connection.execute("update tenant set config_version = 0")
    await told.declare(pilot.configuration() + OWN)
    deliveries = [_delivery(n, "greentech", "failed" if n < 2 else "delivered") for n in range(4)]
    await told.take_in([STATUS, *deliveries, *(_delivery(n, "ecoventures", "delivered") for n in range(10, 110))])
    return told


def cells(row: list[dict[str, Any]]) -> list[str]:
    return [cell["text"] for cell in row]


async def test_a_customer_s_scorecard_is_of_its_own_figures_and_says_what_follows_and_why(declared: Told) -> None:
    report = (await declared.get("/v1/reports/customer", account="greentech", format="json", **WEEK)).json()
    card = block(report, "Scorecards: use")["rows"]
    assert [cells(row)[1:5] for row in card[:6]] == [
        ["4 users", "≥ 6 users", "≥ 4 users", "yellow"],
        ["–", "", "", "not judged"],
        ["80 %", "≥ 70 %", "≥ 60 %", "green"],
        ["50 %", "", "", "not judged"],
        ["–", "", "", "not judged"],
        ["2 tickets", "", "", "not judged"],
    ]
    assert card[0][7]["text"] == "3 – 5 users"
    assert card[1][0]["note"] == "the row is declared for another account"
    assert card[4][0]["note"] == "not counted by account: the scorecard without an account shows the tenant's figure"
    assert (card[6][1]["text"], card[7][4]["text"]) == ("1 of 2 (50 %)", "yellow")
    assert report["state"] == "yellow"
    missed = [(row["selector"], row["status"], row["text"]) for row in block(report, "What misses its target")["rows"]]
    assert missed == [("delivery_on_time{integration=sap}", "red", "50 %"), ("wau", "yellow", "4 users")]
    # Health: all that is declared is met but on-time deliveries, which have their usual target; their category has half of them.
    [decision] = block(report, "Decision")["rows"]
    whole = block(report, "Health by category")["rows"][-1]
    assert (decision[0]["text"], decision[0]["status"], decision[1]["text"]) == ("go", "green", whole[1]["text"])
    lost = {row[0]["text"]: row[2]["text"] for row in block(report, "Health by category")["rows"]}
    assert "delivery_on_time (−" in lost["delivery"]
    risk = block(report, "Churn risk")["rows"]
    assert ["the contract is disputed", "+30"] in [cells(row) for row in risk]
    assert int(risk[-1][1]["text"]) == sum(int(row[1]["text"]) for row in risk[:-1])
    text = (await declared.get("/v1/reports/customer", account="greentech", format="md", **WEEK)).text
    assert "| go (green) | " in text
    assert "(not counted by account: " in text


async def test_a_report_of_an_account_that_no_event_names_is_not_made(told: Told) -> None:
    answer = await told.client.get("/v1/reports/customer", params={"account": "no-such-customer"})
    assert answer.status_code == 404
    assert "no event names an account 'no-such-customer': GET /v1/accounts lists" in answer.json()["detail"]
    assert (await told.client.get("/v1/reports/customer", params={"account": "acme"})).status_code == 200
