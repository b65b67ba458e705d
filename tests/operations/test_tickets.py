"""Tickets, read over HTTP with their limits: as events tell of them, and as KPIs count them."""

import csv
from typing import Any

import pytest

from service.clock import MINUTE, SystemClock
from service.domain.support.hours import SupportCalendar, hours_over
from service.expose.moments import instant_us, rfc3339
from service.store.config import apply_config
from tests.operations.events import envelope, incident, minutes_ago
from tests.operations.running import Running

HOUR = 60
CONFIG = """
[tenant]
timezone = "America/New_York"
support_timezone = "Asia/Kathmandu"
support_hours = "00:00-24:00"
[[sla]]
category = "login"
response = "40bh"
"""


def step(subject: str, action: str, ago: float, account: str = "acme", **data: Any) -> dict[str, Any]:
    """A step of a ticket, so many minutes ago."""
    named = {"account": account} if account else {}
    return envelope(
        f"{subject}-{action}-{ago}", "ticket", {"action": action, **data}, subject=subject, time=minutes_ago(ago), **named
    )


def tier(account: str, ago: float, name: str) -> dict[str, Any]:
    return envelope(f"{account}-{name}", "account", {"tier": name}, subject=account, time=minutes_ago(ago))


async def test_tickets_are_listed_with_their_limits_as_they_stand(site: Running) -> None:
    events = [
        tier("acme", 9 * HOUR, "enterprise"),
        step("T-1", "opened", 7 * HOUR, priority="P0", category="billing", blocking=True),
        step("T-1", "first_response", 7 * HOUR - 20),
        step("T-1", "mitigated", HOUR),
        step("T-2", "opened", 5 * HOUR, priority="P1", account="beta"),
        step("T-2", "resolved", 4 * HOUR, account="", first_contact=True),
        step("T-3", "opened", 100, priority="P0"),
        step("T-3", "excluded", 50, reason="third_party"),
    ]
    await site.send([*events[::-1], *events])
    await site.consumed()
    found = {one["id"]: one for one in (await site.get("/v1/tickets"))["tickets"]}
    assert list(found) == ["T-3", "T-2", "T-1"]

    first = found["T-1"]
    told = (first["state"], first["tier"], first["priority"], first["category"], first["blocking"], first["excluded"])
    assert told == ("open", "enterprise", "P0", "billing", True, False)
    assert first["mitigated_at"] is not None
    assert first["resolved_at"] is None
    limits = {measure: (one["limit"], one["state"]) for measure, one in first["limits"].items()}
    assert limits == {"response": ("30m", "met"), "mitigation": ("4h", "missed"), "resolution": ("24h", "running")}
    assert first["limits"]["response"]["used"] == pytest.approx(20 / 30, abs=0.01)
    resolution = first["limits"]["resolution"]
    assert instant_us("due", resolution["due_at"]) == pytest.approx(SystemClock().now_us() + 17 * HOUR * MINUTE, abs=MINUTE)
    assert resolution["left_s"] == pytest.approx(17 * 3600, abs=60)
    assert (first["limits"]["mitigation"]["left_s"], first["misses"], first["escalation"]) == (None, 1, 3)

    second, third = found["T-2"], found["T-3"]
    assert (second["state"], second["account"], second["tier"], second["limits"]) == ("resolved", "beta", None, {})
    assert (second["age_s"], second["first_contact"], second["escalation"]) == (pytest.approx(3600, abs=1), True, None)
    assert (third["excluded"], third["reason"], third["limits"], third["escalation"]) == (True, "third_party", {}, None)


async def test_what_is_left_in_support_hours_is_that_of_the_tenants_calendar(site: Running) -> None:
    async with site.base.pool.acquire() as connection:
        await apply_config(connection, "acme", CONFIG, now_us=SystemClock().now_us(), known_kpis={})
    await site.send([step("T-1", "opened", 30, priority="P3", category="login")])
    await site.consumed()
    [one] = (await site.get("/v1/tickets"))["tickets"]
    opened = instant_us("opened", one["opened_at"]) or 0
    hours = hours_over(SupportCalendar("Asia/Kathmandu", 0, 1440), [opened])
    response = one["limits"]["response"]
    assert response["due_at"] == rfc3339(hours.reached_us(hours.worked_us(opened) + 40 * HOUR * MINUTE))
    passed = hours.elapsed_us(opened, SystemClock().now_us()) / 1e6
    assert response["left_business_s"] == pytest.approx(40 * 3600 - passed, abs=60)
    assert response["left_s"] >= response["left_business_s"] - 1


async def test_tickets_are_chosen_and_paged(site: Running) -> None:
    events = [tier("acme", 9 * HOUR, "starter"), tier("beta", 9 * HOUR, "mid_market")]
    for number in range(5):
        opened = {"priority": f"P{number % 4}", "category": "how_to" if number % 2 else "bug"}
        events.append(step(f"T-{number}", "opened", 60 + number, account="acme" if number < 3 else "beta", **opened))
    events.append(step("T-0", "resolved", 30))
    await site.send(events)
    await site.consumed()

    async def ids(**parameters: str) -> list[str]:
        return [one["id"] for one in (await site.get("/v1/tickets", **parameters))["tickets"]]

    assert await ids() == ["T-0", "T-1", "T-2", "T-3", "T-4"]
    assert await ids(state="resolved") == ["T-0"]
    assert await ids(priority="P1,P2") == ["T-1", "T-2"]
    assert await ids(category="bug") == ["T-0", "T-2", "T-4"]
    assert await ids(account="beta", state="open") == ["T-3", "T-4"]
    assert await ids(tier="starter") == ["T-0", "T-1", "T-2"]
    assert await ids(start=minutes_ago(61.5)) == ["T-0", "T-1"]
    page = await site.get("/v1/tickets", limit="3")
    assert [one["id"] for one in page["tickets"]] == ["T-0", "T-1", "T-2"]
    assert await ids(limit="3", cursor=page["next"]) == ["T-3", "T-4"]
    lines = list(csv.DictReader(await site.csv("/v1/tickets", limit="1", state="open")))
    assert [(line["id"], line["response_limit"], line["response_state"], line["mitigation_limit"]) for line in lines] == [
        ("T-1", "8bh", "running", "")
    ]


async def test_kpis_of_tickets_come_out_of_their_events(site: Running) -> None:
    events = [
        tier("acme", 9 * HOUR, "enterprise"),
        step("T-1", "opened", 7 * HOUR, priority="P0", category="bug"),
        step("T-1", "first_response", 7 * HOUR - 20),
        step("T-1", "resolved", 5 * HOUR, first_contact=True),
        step("T-2", "opened", 3 * HOUR, priority="P0", category="bug"),
        step("T-2", "escalated", 2 * HOUR, level=2),
    ]
    await site.send([*events, *events])
    await site.consumed()
    wanted = {
        ("tickets", None): 2,
        ("tickets", "resolved"): 1,
        ("open_tickets", None): 1,
        ("first_response_time", "mean"): 1_200,
        ("resolution_time", "mean"): 7_200,
        ("first_contact_resolution", None): 1,
        ("ticket_escalation", None): 0.5,
        ("time_to_escalate", "mean"): 3_600,
        ("support_sla", None): 0.5,
        ("support_sla", "response"): 0.5,
        ("support_sla", "resolution"): 1,
        ("support_sla", "missed_responses"): 1,
    }
    for (kpi, statistic), value in wanted.items():
        asked = {"window": "28d"} | ({"stat": statistic} if statistic else {})
        assert (await site.get(f"/v1/kpis/{kpi}", **asked))["value"] == pytest.approx(value, rel=1e-3), (kpi, statistic)
    by_tier = await site.get("/v1/kpis/tickets", window="28d", by="tier")
    assert [row["dims"] for row in by_tier["rows"]] == [{"tier": "enterprise"}]


async def test_an_accounts_incidents_are_its_own_and_those_of_the_platform(site: Running) -> None:
    named = [incident("INC-0", "opened", minutes_ago(60), severity="P1", accounts=["acme"])]
    named.append(incident("INC-1", "opened", minutes_ago(61), severity="P1", accounts=["beta"]))
    await site.send([*named, incident("INC-2", "opened", minutes_ago(62), severity="P1")])
    await site.consumed()
    found = (await site.get("/v1/incidents", account="acme"))["incidents"]
    assert [one["id"] for one in found] == ["INC-0", "INC-2"]
    assert (await site.get("/v1/kpis/incidents", window="28d", account="acme"))["value"] == 2


@pytest.mark.parametrize(
    "parameters",
    [
        {"priority": "P9"},
        {"tier": "gold"},
        {"state": "closed"},
        {"start": "soon"},
        {"cursor": "x"},
        {"category": "a\0b"},
        {"limit": "0"},
    ],
)
async def test_a_wrong_parameter_is_a_problem_that_names_it(site: Running, parameters: dict[str, str]) -> None:
    answer = await site.client.get("/v1/tickets", params=parameters)
    assert answer.status_code in {400, 422}, answer.text
    wrong = answer.json()
    assert {wrong.get("parameter"), *(each["parameter"] for each in wrong.get("errors", ()))} & set(parameters)


async def test_the_example_shows_members_that_answers_have(site: Running) -> None:
    await site.send([tier("acme", 60, "enterprise"), step("T-1", "opened", 30, priority="P0")])
    await site.consumed()
    document = (await site.client.get("/openapi.json")).json()
    [example] = document["paths"]["/v1/tickets"]["get"]["responses"]["200"]["content"]["application/json"]["example"]["tickets"]
    [one] = (await site.get("/v1/tickets"))["tickets"]
    assert example.keys() <= one.keys()
    assert example["limits"]["resolution"].keys() <= one["limits"]["resolution"].keys()


async def test_tickets_are_found_by_how_they_stand_with_their_limits(site: Running) -> None:
    events = [tier("acme", 40 * HOUR, "enterprise")]
    for name, hours in (("late", 26), ("near", 20), ("fine", 10)):
        for number in range(4):
            ago = hours * HOUR + number
            events += [
                step(f"{name}-{number}", "opened", ago, priority="P1"),
                step(f"{name}-{number}", "first_response", ago - 1),
            ]
    await site.send(events)
    await site.consumed()

    async def ids(**asked: str) -> list[str]:
        found: list[str] = []
        while True:
            body = await site.get("/v1/tickets", **asked)
            found += [one["id"] for one in body["tickets"]]
            if body["next"] is None:
                return found
            assert len(body["tickets"]) <= int(asked["limit"])
            asked["cursor"] = body["next"]

    late, near = [f"late-{n}" for n in range(4)], [f"near-{n}" for n in range(4)]
    for limit in ("1", "3", "100"):
        assert await ids(due="missed", limit=limit) == late
        assert await ids(due="near", limit=limit) == near
        assert await ids(due="near,missed", limit=limit) == near + late
    refused = await site.client.get("/v1/tickets", params={"due": "soon"})
    assert refused.status_code == 400
