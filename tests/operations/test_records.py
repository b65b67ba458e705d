"""Incidents, the ledger and what became of an event, read over HTTP as JSON and as tables."""

import base64
import csv

import httpx
import msgspec
import pytest

from tests.operations.events import SOURCE, incident, minutes_ago, request, usage
from tests.operations.running import Running

DAY_MINUTES = 24 * 60


async def test_incidents_are_listed_by_state_and_severity_a_page_at_a_time(site: Running) -> None:
    events = []
    for number in range(5):
        opened = minutes_ago(60 + number)
        events.append(incident(f"INC-{number}", "opened", opened, severity=f"P{number % 2}", service="api", title="=cmd()"))
    events.append(incident("INC-0", "resolved", minutes_ago(30)))
    events.append(incident("INC-1", "false_positive", minutes_ago(30)))
    await site.send(events)
    await site.consumed()

    first = await site.get("/v1/incidents", limit="3")
    assert [each["id"] for each in first["incidents"]] == ["INC-0", "INC-1", "INC-2"]
    rest = await site.get("/v1/incidents", limit="3", cursor=first["next"])
    assert ([each["id"] for each in rest["incidents"]], rest["next"]) == (["INC-3", "INC-4"], None)
    exact = await site.get("/v1/incidents", limit="5")
    assert (len(exact["incidents"]), exact["next"]) == (5, None)

    async def ids(**parameters: str) -> list[str]:
        return [each["id"] for each in (await site.get("/v1/incidents", **parameters))["incidents"]]

    assert await ids(state="resolved") == ["INC-0"]
    assert await ids(state="false_positive") == ["INC-1"]
    assert await ids(severity="P0") == ["INC-0", "INC-2", "INC-4"]
    assert await ids(severity="P0,P1", start=minutes_ago(61.5)) == ["INC-0", "INC-1"]
    assert await ids(service="web") == []

    lines = list(csv.DictReader(await site.csv("/v1/incidents", limit="1")))
    assert [(line["id"], line["severity"], line["title"]) for line in lines] == [("INC-0", "P0", "'=cmd()")]


async def test_a_page_of_csv_leads_on_by_its_header(site: Running) -> None:
    await site.send([incident(f"INC-{number}", "opened", minutes_ago(60 + number), severity="P2") for number in range(3)])
    await site.consumed()
    answer = await site.client.get("/v1/incidents", params={"limit": "2"}, headers={"accept": "text/csv"})
    assert len(answer.text.splitlines()) == 3
    rest = await site.csv("/v1/incidents", limit="2", cursor=answer.headers["tidegauge-cursor"])
    assert [line.split(",")[0] for line in rest] == ["id", "INC-2"]


async def test_the_ledger_adds_up_by_source_and_day(site: Running) -> None:
    await site.send([usage("a"), usage("b"), usage("a"), usage("c", time=minutes_ago(8 * DAY_MINUTES))])
    await site.send(request("d", source="/services/api"))
    await site.send(usage("e", data={}), 422)
    await site.consumed()
    answer = await site.get("/v1/ledger")
    counts = {
        row["source"]: [row[name] for name in ("appended", "stored", "duplicate", "dead_lettered")] for row in answer["rows"]
    }
    assert counts == {SOURCE: [5, 2, 1, 2], "/services/api": [1, 1, 0, 0]}
    assert answer["installation"] == {"pending": 0, "balanced": True}
    assert [row["source"] for row in (await site.get("/v1/ledger", source=SOURCE))["rows"]] == [SOURCE]
    page = await site.get("/v1/ledger", limit="1")
    rest = await site.get("/v1/ledger", limit="1", cursor=page["next"])
    assert [row["source"] for row in page["rows"] + rest["rows"]] == [SOURCE, "/services/api"]
    assert (await site.csv("/v1/ledger"))[0] == "source,day,appended,stored,duplicate,dead_lettered"


async def test_what_became_of_an_event_is_said(site: Running) -> None:
    timed, late = minutes_ago(5), minutes_ago(8 * DAY_MINUTES)
    await site.send([usage("timed", time=timed), usage("untimed"), usage("late", time=late)])
    await site.send(usage("broken", data={}), 422)
    await site.send(usage("odd", time="yesterday"), 422)
    await site.consumed()

    async def state(event_id: str, **time: str) -> tuple[str, str | None]:
        answer = await site.get("/v1/events", source=SOURCE, id=event_id, **time)
        assert answer["watermark"] is not None
        return answer["state"], answer.get("reason")

    assert await state("timed", time=timed) == ("stored", None)
    assert await state("timed") == ("not_seen", None)
    assert await state("untimed") == ("stored", None)
    assert await state("late", time=late) == ("dead_letter", "too_late")
    assert await state("broken") == ("dead_letter", "missing_field")
    assert await state("odd", time="yesterday") == ("dead_letter", "bad_time")
    assert await state("never") == ("not_seen", None)
    assert (await site.get("/v1/events", 400, source=SOURCE, id="never", time="tomorrow"))["parameter"] == "time"


async def test_an_hour_whose_ids_have_gone_says_so(site: Running) -> None:
    time = minutes_ago(60)
    await site.send(usage("gone", time=time))
    await site.consumed()
    async with site.base.pool.acquire() as connection:
        await connection.execute("delete from seen_ids")
        await connection.execute("update tenant_hours set closed = had")
    answer = await site.get("/v1/events", source=SOURCE, id="gone", time=time)
    assert answer["state"] == "hour_closed"


async def test_another_tenant_s_records_are_not_shown(site: Running) -> None:
    await site.send([incident("INC-1", "opened", minutes_ago(5), severity="P1"), usage("a"), usage("l", time=minutes_ago(10**5))])
    await site.consumed()
    async with site.base.pool.acquire() as connection:
        other = await connection.fetchval("insert into tenant (name, timezone) values ('other', 'UTC') returning id")
        await connection.execute("update api_key set tenant = $1 where 'read' = any(scopes)", other)
    site.client.headers["authorization"] = f"Bearer {site.keys['read']}"
    assert (await site.get("/v1/incidents"))["incidents"] == []
    assert (await site.get("/v1/dead-letters"))["dead_letters"] == []
    assert (await site.get("/v1/ledger"))["rows"] == []
    assert (await site.get("/v1/events", source=SOURCE, id="a"))["state"] == "not_seen"


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/v1/incidents", {"severity": "P9"}),
        ("/v1/incidents", {"state": "closed"}),
        ("/v1/incidents", {"start": "soon"}),
        ("/v1/incidents", {"cursor": "x"}),
        ("/v1/incidents", {"cursor": base64.urlsafe_b64encode(msgspec.msgpack.encode((2**63, "INC"))).decode()}),
        ("/v1/incidents", {"cursor": base64.urlsafe_b64encode(msgspec.msgpack.encode((1, "INC\0"))).decode()}),
        ("/v1/incidents", {"service": "a\0b"}),
        ("/v1/incidents", {"limit": "0"}),
        ("/v1/dead-letters", {"reason": "bad"}),
        ("/v1/dead-letters", {"state": "bad"}),
        ("/v1/dead-letters", {"cursor": "AAAA"}),
        ("/v1/dead-letters", {"format": "xml"}),
        ("/v1/ledger", {"cursor": base64.urlsafe_b64encode(msgspec.msgpack.encode(("yesterday", "x"))).decode()}),
        ("/v1/ledger", {"limit": "1001"}),
        ("/v1/events", {"source": "x"}),
        ("/v1/events", {"source": "x", "id": "a\0b"}),
    ],
)
async def test_a_wrong_parameter_is_a_problem_that_names_it(site: Running, path: str, parameters: dict[str, str]) -> None:
    answer = await site.client.get(path, params=parameters)
    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    wrong = answer.json()
    assert {wrong.get("parameter"), *(each["parameter"] for each in wrong.get("errors", ()))} & {*parameters, "id"}


async def test_the_document_describes_each_answer_with_an_example(site: Running) -> None:
    document = (await site.client.get("/openapi.json")).json()
    for path in ("/v1/incidents", "/v1/dead-letters", "/v1/ledger", "/v1/events", "/v1/scorecards", "/v1/scorecards/{name}"):
        found = document["paths"][path]["get"]["responses"]
        assert found["200"]["content"]["application/json"]["example"], path
        assert "application/problem+json" in found["400"]["content"]
        assert {"401", "403"} <= found.keys()


async def test_examples_have_the_members_of_answers(site: Running) -> None:
    await site.send([incident("INC-1", "opened", minutes_ago(5), severity="P1"), usage("a")])
    await site.send(usage("broken", data={}), 422)
    await site.consumed()
    document = (await site.client.get("/openapi.json")).json()

    def example(path: str) -> dict[str, object]:
        shown: dict[str, object] = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["example"]
        return shown

    def shape(value: object) -> object:
        if isinstance(value, dict):
            return {name: shape(part) for name, part in value.items()}
        return [shape(part) for part in value[:1]] if isinstance(value, list) and value and isinstance(value[0], dict) else ...

    for path in ("/v1/incidents", "/v1/dead-letters", "/v1/ledger"):
        assert shape(await site.get(path)) == shape(example(path)), path
    asked = await site.get("/v1/events", source=SOURCE, id="broken")
    assert asked.keys() == example("/v1/events").keys()


async def test_reading_needs_the_scope(site: Running) -> None:
    for path in (
        "/v1/incidents",
        "/v1/dead-letters",
        "/v1/ledger",
        "/v1/events?source=a&id=b",
        "/v1/scorecards",
        "/v1/scorecards/a",
    ):
        refused: httpx.Response = await site.client.get(path, headers={"authorization": f"Bearer {site.keys['write']}"})
        assert refused.status_code == 403, path
