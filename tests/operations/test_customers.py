"""Accounts and tracked items, sent as events, read over HTTP as they stand."""

import csv
from datetime import timedelta
from typing import Any

import pytest

from service.clock import SystemClock, to_datetime
from tests.operations.events import envelope, minutes_ago
from tests.operations.running import Running


def told(subject: str, minutes: float, **data: Any) -> dict[str, Any]:
    return envelope(f"{subject}-{minutes}", "account", data, subject=subject, time=minutes_ago(minutes))


def item(subject: str, minutes: float, **data: Any) -> dict[str, Any]:
    return envelope(f"{subject}-{minutes}", "item", data, subject=subject, time=minutes_ago(minutes))


def usd(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


async def test_accounts_are_listed_as_they_stand_now(site: Running) -> None:
    events = [
        told("acme", 60, status="trial", tier="starter", traits={"region": "eu"}, signals={"merger": True, "downturn": True}),
        told("acme", 30, status="active", mrr=usd(1_250_000), licensed_users=120, progress=0.35, signals={"merger": False}),
        told("beta", 50, status="churned", reason="=budget", contract_end="2026-12-31", traits={"region": "us"}),
        told("core", 40, status="at_risk", tier="enterprise", traits={"region": "eu", "industry": "bank"}),
    ]
    await site.send(events)
    await site.consumed()
    listed = (await site.get("/v1/accounts"))["accounts"]
    assert [(one["id"], one["status"], one["customer"]) for one in listed] == [
        ("acme", "active", True),
        ("beta", "churned", False),
        ("core", "at_risk", True),
    ]
    acme = listed[0]
    assert (acme["mrr"], acme["mrr_currency"], acme["licensed_users"], acme["progress"]) == (1_250_000, "USD", 120, 0.35)
    assert (acme["tier"], acme["signals"], acme["traits"]) == ("starter", ["downturn"], {"region": "eu"})
    assert (listed[1]["reason"], listed[1]["contract_end"], listed[1]["mrr"]) == ("=budget", "2026-12-31", None)

    async def ids(**parameters: str) -> list[str]:
        return [one["id"] for one in (await site.get("/v1/accounts", **parameters))["accounts"]]

    assert await ids(status="active,at_risk") == ["acme", "core"]
    assert await ids(tier="enterprise") == ["core"]
    assert await ids(account="beta,core") == ["beta", "core"]
    assert await ids(**{"account.region": "eu"}) == ["acme", "core"]
    assert await ids(**{"account.region": "eu", "account.industry": "bank,retail"}) == ["core"]
    page = await site.get("/v1/accounts", limit="2")
    assert [one["id"] for one in page["accounts"]] == ["acme", "beta"]
    assert await ids(limit="2", cursor=page["next"]) == ["core"]
    lines = list(csv.DictReader(await site.csv("/v1/accounts", status="churned")))
    assert [(line["id"], line["reason"]) for line in lines] == [("beta", "'=budget")]


async def test_items_are_listed_as_they_stand_now_the_last_changed_first(site: Running) -> None:
    now = to_datetime(SystemClock().now_us())
    yesterday = (now - timedelta(days=2)).date().isoformat()
    tomorrow = (now + timedelta(days=2)).date().isoformat()
    events = [
        item(
            "R-1", 90, kind="risk", status="open", probability="high", impact="medium", owner="ann", due=yesterday, title="=x()"
        ),
        item("R-1", 80, kind="risk", status="mitigating"),
        item("R-2", 70, kind="risk", status="open", due=tomorrow, value=usd(5)),
        item("D-1", 60, kind="opportunity", status="closed", due=yesterday, probability="low", impact="low"),
    ]
    events[2]["account"] = "acme"
    await site.send(events)
    await site.consumed()

    async def ids(**parameters: str) -> list[str]:
        return [one["id"] for one in (await site.get("/v1/items", **parameters))["items"]]

    listed = (await site.get("/v1/items"))["items"]
    assert [(one["id"], one["status"], one["colour"], one["overdue"]) for one in listed] == [
        ("D-1", "closed", "green", False),
        ("R-2", "open", None, False),
        ("R-1", "mitigating", "red", True),
    ]
    assert (listed[1]["value"], listed[1]["value_currency"], listed[1]["account"]) == (5, "USD", "acme")
    assert await ids(kind="risk") == ["R-2", "R-1"]
    assert await ids(status="open,mitigating", owner="ann") == ["R-1"]
    assert await ids(colour="green") == ["D-1"]
    assert await ids(overdue="true") == ["R-1"]
    assert await ids(account="acme") == ["R-2"]
    page = await site.get("/v1/items", limit="2")
    assert await ids(limit="2", cursor=page["next"]) == ["R-1"]
    lines = list(csv.DictReader(await site.csv("/v1/items", kind="risk", status="mitigating")))
    assert [(line["id"], line["title"]) for line in lines] == [("R-1", "'=x()")]


async def test_kpis_of_customers_come_out_of_their_events(site: Running) -> None:
    events = [
        told("acme", 60, status="active", tier="enterprise", mrr=usd(900)),
        told("beta", 50, status="active", mrr=usd(100)),
        item("R-1", 40, kind="risk", status="open"),
        envelope("f1", "feedback", {"survey": "nps", "score": 10}, subject="ada", account="acme", time=minutes_ago(30)),
        envelope("f2", "feedback", {"survey": "nps", "score": 2}, subject="ada", account="acme", time=minutes_ago(20)),
        envelope("r1", "recovery", {"action": "at_risk"}, subject="c1", account="acme", time=minutes_ago(30)),
        envelope(
            "r2", "recovery", {"action": "recovered", "amount": usd(50)}, subject="c1", account="acme", time=minutes_ago(20)
        ),
    ]
    await site.send([*events, *events])
    await site.consumed()
    answers = {
        name: await site.get(f"/v1/kpis/{name}", window="28d") for name in ("mrr", "customers", "nps", "items", "recovery")
    }
    assert {name: answer["value"] for name, answer in answers.items()} == {
        "mrr": 1_000,
        "customers": 2,
        "nps": -100,
        "items": 1,
        "recovery": 1,
    }
    assert answers["mrr"]["unit"] == "USD"
    assert (await site.get("/v1/kpis/recovered_revenue", window="28d"))["value"] == 50
    assert (await site.get("/v1/kpis/arr", window="28d", by="tier"))["rows"][0]["value"] in {1_200, 10_800}
    by_tier = await site.get("/v1/kpis/mrr", window="28d", by="tier")
    assert {row["dims"]["tier"]: row["value"] for row in by_tier["rows"] if row["statistic"] is None} == {
        "enterprise": 900,
        "": 100,
    }


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/v1/accounts", {"status": "gone"}),
        ("/v1/accounts", {"tier": "gold"}),
        ("/v1/accounts", {"cursor": "x"}),
        ("/v1/accounts", {"limit": "0"}),
        ("/v1/items", {"status": "open,done"}),
        ("/v1/items", {"colour": "blue"}),
        ("/v1/items", {"overdue": "perhaps"}),
        ("/v1/items", {"owner": "a\0b"}),
    ],
)
async def test_a_wrong_parameter_is_a_problem_that_names_it(site: Running, path: str, parameters: dict[str, str]) -> None:
    answer = await site.client.get(path, params=parameters)
    assert answer.status_code in {400, 422}, answer.text
    wrong = answer.json()
    assert {wrong.get("parameter"), *(each["parameter"] for each in wrong.get("errors", ()))} & set(parameters)


async def test_a_trait_with_nul_and_too_many_traits_are_refused(site: Running) -> None:
    assert (await site.get("/v1/accounts", 400, **{"account.region": "a\0"}))["parameter"] == "account.NAME"
    many = {f"account.t{number}": "x" for number in range(21)}
    assert (await site.get("/v1/accounts", 400, **many))["parameter"] == "account.NAME"


async def test_examples_have_the_members_of_answers(site: Running) -> None:
    await site.send([told("acme", 5, status="active"), item("R-1", 5, kind="risk", status="open")])
    await site.consumed()
    document = (await site.client.get("/openapi.json")).json()
    for path, name in (("/v1/accounts", "accounts"), ("/v1/items", "items")):
        example = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["example"]
        [one] = (await site.get(path))[name]
        assert one.keys() == example[name][0].keys(), path
