"""Every form of the contract brings its events into the log before the answer."""

import base64
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.domain.families.rows import UsageRow
from tests.ingest.door import Door
from tests.ingest.events import bad_event, encoded, lines, request_event, usage_event

TWO = [usage_event("u1"), request_event("r1")]
FORMS: dict[str, tuple[str, bytes, int]] = {
    "structured": ("application/cloudevents+json", encoded(TWO[0]), 1),
    "structured, with a charset": ("application/cloudevents+json; charset=utf-8", encoded(TWO[0]), 1),
    "structured, shouted": ("Application/CloudEvents+JSON;CHARSET=UTF-8", encoded(TWO[0]), 1),
    "batch": ("application/cloudevents-batch+json", encoded(TWO), 2),
    "batch, with a charset": ('application/cloudevents-batch+json; charset="UTF-8"', encoded(TWO), 2),
    "one as plain JSON": ("application/json", encoded(TWO[0]), 1),
    "several as plain JSON": ("application/json; charset=utf-8", encoded(TWO), 2),
    "lines": ("application/x-ndjson", lines(*TWO), 2),
    "lines, blank ones between": ("application/x-ndjson;charset=utf-8", b"\n" + lines(TWO[0]) + b"\r\n\n" + encoded(TWO[1]), 2),
}

OTHER_MEDIA_TYPES = [
    "",
    "text/plain",
    "application/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/json-seq",
    "json",
    ";",
    "application/json; charset=utf-16",
    "application/x-ndjson; charset=latin1",
]


async def chunked(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 10):
        yield body[start : start + 10]


@pytest.mark.parametrize("name", FORMS)
async def test_every_form_is_in_the_log_before_its_202(door: Door, name: str) -> None:
    media_type, body, count = FORMS[name]
    answer = await door.client.post("/v1/events", content=body, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()) == (202, {"accepted": count, "rejected": []})
    assert answer.headers["tidegauge-rejected"] == "0"
    assert answer.headers["content-type"] == "application/json"
    assert await door.ids() == sorted(["u1", "r1"][:count])


async def test_every_form_may_be_packed_and_come_in_chunks(door: Door) -> None:
    for media_type, body, count in FORMS.values():
        headers = {"Content-Type": media_type, "Content-Encoding": "gzip"}
        answer = await door.client.post("/v1/events", content=chunked(gzip.compress(body)), headers=headers)
        assert (answer.status_code, answer.json()["accepted"]) == (202, count)
    assert len(await door.ids()) == sum(count for *_, count in FORMS.values())


async def post_binary(door: Door, data: bytes, **attributes: str) -> Any:
    headers = {"Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": "u1", "ce-source": "/services/web"}
    headers |= {"ce-type": "io.tidegauge.usage.v1", "ce-subject": "ada"}
    headers |= {f"ce-{name}": value for name, value in attributes.items()}
    return await door.client.post("/v1/events", content=data, headers=headers)


async def test_binary_mode_takes_its_attributes_from_headers_percent_decoded(door: Door) -> None:
    answer = await post_binary(door, b'{"feature": "dashboard"}', subject="Euro%20%E2%82%AC%20%F0%9F%98%80", account='"a%22\\"b"')
    assert answer.status_code == 202
    [row] = (await door.logged())["usage"]
    assert isinstance(row, UsageRow)
    assert (row.user, row.account, row.feature) == ("Euro € 😀", 'a""b', "dashboard")


@pytest.mark.parametrize("media_type", ["application/json", "application/json; charset=utf-8", "application/vnd.acme+json"])
async def test_binary_mode_is_known_by_its_specversion(door: Door, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    headers |= {"CE-SpecVersion": "1.0", "Ce-Id": "x", "ce-Source": "/s", "CE-TYPE": "io.tidegauge.usage.v1", "ce-subject": "ada"}
    answer = await door.client.post("/v1/events", content=b'{"feature":"a"}', headers=headers)
    assert answer.status_code == 202
    assert await door.ids() == ["x"]


async def test_a_structured_body_stays_structured_beside_ce_headers(door: Door) -> None:
    headers = {"Content-Type": "application/cloudevents+json", "ce-specversion": "1.0", "ce-id": "other"}
    answer = await door.client.post("/v1/events", content=encoded(usage_event("u1")), headers=headers)
    assert answer.status_code == 202
    assert await door.ids() == ["u1"]


@pytest.mark.parametrize("value", ["%FF", "%00", "a%C3", "%ED%A0%80"])
async def test_bytes_in_a_header_that_are_no_text_are_malformed(door: Door, value: str) -> None:
    answer = await post_binary(door, b'{"feature": "dashboard"}', subject=value)
    assert answer.status_code == 422
    assert [rejection["reason"] for rejection in answer.json()["rejected"]] == ["malformed"]
    assert len(await door.refused()) == 1


async def test_an_attribute_that_is_given_twice_is_400(door: Door) -> None:
    headers = [("Content-Type", "application/json"), ("ce-specversion", "1.0"), ("ce-id", "a"), ("ce-id", "b")]
    answer = await door.client.post("/v1/events", content=b"{}", headers=headers)
    assert (answer.status_code, "twice" in answer.json()["detail"]) == (400, True)


async def test_an_event_without_data_in_binary_mode_says_what_lacks(door: Door) -> None:
    answer = await post_binary(door, b"")
    assert (answer.status_code, answer.json()["rejected"][0]["reason"]) == (422, "missing_field")


async def test_other_media_types_and_charsets_are_415(door: Door) -> None:
    for media_type in OTHER_MEDIA_TYPES:
        answer = await door.client.post("/v1/events", content=encoded(TWO), headers={"Content-Type": media_type})
        assert answer.status_code == 415, media_type
        assert "application/cloudevents+json" in answer.headers["accept-post"]
    assert await door.logged() == {}


async def test_a_binary_event_of_another_media_type_is_415(door: Door) -> None:
    headers = {"Content-Type": "text/plain", "ce-specversion": "1.0"}
    assert (await door.client.post("/v1/events", content=b"x", headers=headers)).status_code == 415


async def test_data_in_base64_is_refused_with_its_reason(door: Door) -> None:
    event = usage_event("u1")
    event["data_base64"] = base64.b64encode(encoded(event.pop("data"))).decode()
    answer = await door.client.post("/v1/events", content=encoded([event, request_event()]), headers=json_headers())
    assert (answer.status_code, answer.json()["accepted"], len(answer.json()["rejected"])) == (202, 1, 1)
    assert "data_base64" in answer.json()["rejected"][0]["detail"]


def json_headers() -> dict[str, str]:
    return {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", b"[]"),
        ("application/cloudevents-batch+json", b" [ ] "),
        ("application/x-ndjson", b""),
        ("application/x-ndjson", b"\n\n"),
    ],
)
async def test_an_empty_batch_is_202(door: Door, media_type: str, body: bytes) -> None:
    answer = await door.client.post("/v1/events", content=body, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 0, "rejected": []})
    assert await door.logged() == {}


async def test_refused_events_are_named_and_lie_in_the_log_before_the_answer(door: Door) -> None:
    events = [usage_event("u1"), bad_event("b1"), request_event("r1"), {"nonsense": 1}]
    answer = await door.client.post("/v1/events", content=encoded(events), headers=json_headers())
    assert answer.status_code == 202
    assert answer.headers["tidegauge-rejected"] == "2"
    content = answer.json()
    assert content["accepted"] == 2
    assert [(one["index"], one["id"]) for one in content["rejected"]] == [(1, "b1"), (3, None)]
    assert all(set(one) == {"index", "id", "reason", "detail"} and one["detail"] for one in content["rejected"])
    assert await door.ids() == ["r1", "u1"]
    refused = await door.refused()
    assert sorted(json.loads(row.raw).get("id", "") for row in refused) == ["", "b1"]
    assert {row.tenant for row in refused} == {door.tenant.id}


async def test_a_request_without_a_valid_event_is_422_and_its_events_are_kept(door: Door) -> None:
    answer = await door.client.post("/v1/events", content=encoded([bad_event("b1"), bad_event("b2")]), headers=json_headers())
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    content = answer.json()
    assert (content["accepted"], content["status"]) == (0, 422)
    assert [one["reason"] for one in content["rejected"]] == ["missing_field", "missing_field"]
    assert answer.headers["tidegauge-rejected"] == "2"
    assert sorted(row.id for row in await door.refused()) == ["b1", "b2"]


async def test_a_dry_run_says_what_would_happen_and_stores_nothing(door: Door) -> None:
    events = [usage_event("u1"), bad_event("b1")]
    answer = await door.client.post("/v1/events?dry_run=true", content=encoded(events), headers=json_headers())
    assert (answer.status_code, answer.json()["would_accept"]) == (200, 1)
    assert [one["id"] for one in answer.json()["rejected"]] == ["b1"]
    nothing = await door.client.post("/v1/events?dry_run=1", content=encoded([bad_event()]), headers=json_headers())
    assert (nothing.status_code, nothing.json()["would_accept"]) == (200, 0)
    assert await door.logged() == {}


async def test_a_dry_run_is_wanted_or_not(door: Door) -> None:
    answer = await door.client.post("/v1/events?dry_run=perhaps", content=b"[]", headers=json_headers())
    assert (answer.status_code, answer.json()["parameter"]) == (400, "dry_run")
    answer = await door.client.post("/v1/events?dry_run=false", content=b"[]", headers=json_headers())
    assert answer.status_code == 202


async def test_a_key_for_backfill_marks_its_events(door: Door) -> None:
    for name in ("ingest", "backfill"):
        await door.client.post(
            "/v1/events",
            content=encoded(usage_event(name)),
            headers=json_headers() | {"Authorization": f"Bearer {door.keys[name]}"},
        )
    rows = (await door.logged())["usage"]
    assert {row.id: row.backfill for row in rows if isinstance(row, UsageRow)} == {"ingest": False, "backfill": True}


async def test_events_are_stamped_with_the_tenant_of_the_key_and_the_time_of_receipt(door: Door) -> None:
    await door.client.post("/v1/events", content=encoded([usage_event("a"), usage_event("b")]), headers=json_headers())
    rows = (await door.logged())["usage"]
    assert {row.tenant for row in rows} == {door.tenant.id}
    assert len({row.received_us for row in rows}) == 1


async def test_schemas_need_no_key(door: Door) -> None:
    answer = await door.client.get("/v1/schemas", headers={"Authorization": ""})
    assert answer.status_code == 200
    assert "io.tidegauge.usage.v1" in answer.text
