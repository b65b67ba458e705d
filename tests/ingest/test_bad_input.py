"""Whatever comes in: the documented status and reason, never a 500, and nothing else is lost."""

import gzip
import json
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.http.serving import raw
from tests.ingest.door import Door
from tests.ingest.events import encoded, lines, request_event, usage_event

JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
GOOD = encoded(usage_event("good"))


def usage(**data: object) -> bytes:
    return encoded(usage_event("bad", data={"feature": "a", **data}))


def with_time(time: object) -> bytes:
    return encoded(usage_event("bad", time=time))


def measured(literal: str) -> bytes:
    event = usage_event("bad", type="io.tidegauge.measurement.v1", data={"meter": "m", "value": "VALUE"})
    return encoded(event).replace(b'"VALUE"', literal.encode())


BAD: dict[str, tuple[bytes, str]] = {
    "no object": (b"17", "wrong_type"),
    "null": (b"null", "wrong_type"),
    "an array": (b"[]", "wrong_type"),
    "a NUL": (usage(session="a\0b"), "malformed"),
    "a NUL in the id": (encoded(usage_event("a\0b")), "malformed"),
    "a lone surrogate": (GOOD.replace(b'"ada"', b'"\\ud800"').replace(b'"good"', b'"bad"'), "malformed"),
    "a lone low surrogate in a key": (GOOD.replace(b'"feature"', b'"\\udc00"').replace(b'"good"', b'"bad"'), "malformed"),
    "invalid UTF-8": (GOOD.replace(b"ada", b"a\xff\xfe").replace(b'"good"', b'"bad"'), "malformed"),
    "overlong UTF-8": (GOOD.replace(b"ada", b"\xc0\x80").replace(b'"good"', b'"bad"'), "malformed"),
    "a surrogate in UTF-8": (GOOD.replace(b"ada", b"\xed\xa0\x80").replace(b'"good"', b'"bad"'), "malformed"),
    "nesting": (usage(x=json.loads("[" * 40 + "]" * 40)), "malformed"),
    "an unknown type": (encoded(usage_event("bad", type="com.example.thing")), "unknown_type"),
    "a type without a version": (encoded(usage_event("bad", type="io.tidegauge.usage")), "unknown_type"),
    "no id": (encoded({**usage_event(), "id": None}), "missing_field"),
    "an empty id": (encoded(usage_event("")), "out_of_range"),
    "a long id": (encoded(usage_event("x" * 257)), "too_long"),
    "a number as id": (encoded({**usage_event(), "id": 7}), "wrong_type"),
    "another specversion": (encoded(usage_event("bad", specversion="0.3")), "out_of_range"),
    "no data": (encoded({key: value for key, value in usage_event("bad").items() if key != "data"}), "missing_field"),
    "data that is text": (encoded(usage_event("bad", data="x")), "wrong_type"),
    "no subject": (encoded({key: value for key, value in usage_event("bad").items() if key != "subject"}), "missing_field"),
    "an event over its limit": (usage(x="y" * 256_001), "too_large"),
    "text for a number": (usage(duration_ms="7"), "wrong_type"),
    "a negative duration": (usage(duration_ms=-1), "out_of_range"),
    "a duration of 400 days": (usage(duration_ms=400 * 86_400_000 + 1), "out_of_range"),
    "a bad name": (usage(feature="a,b"), "bad_name"),
    "a reserved name": (usage(feature="~other"), "bad_name"),
    "infinity": (measured("1e999"), "out_of_range"),
    "a huge number": (measured("1" + "0" * 400), "out_of_range"),
    "just too large a value": (measured("1000000000000001"), "out_of_range"),
    "a time without an offset": (with_time("2026-01-01T00:00:00"), "bad_time"),
    "a day alone": (with_time("2026-01-01"), "bad_time"),
    "a time before 1970": (with_time("0001-01-01T00:00:00Z"), "bad_time"),
    "a leap second": (with_time("2016-12-31T23:59:60Z"), "bad_time"),
    "a thirteenth month": (with_time("2026-13-01T00:00:00Z"), "bad_time"),
    "a time that is a number": (with_time(1_700_000_000), "wrong_type"),
    "a time of five digits": (with_time("10000-01-01T00:00:00Z"), "bad_time"),
}
NOT_JSON: dict[str, bytes] = {
    "nothing": b"",
    "blanks": b"  \n",
    "words": b"hello",
    "half an object": GOOD[:-1],
    "half an array": b"[" + GOOD,
    "two objects": GOOD + GOOD,
    "a comma too many": b"[" + GOOD + b",]",
    "single quotes": b"{'a': 1}",
    "bytes": bytes(range(256)),
    "NULs": bytes(100),
    "UTF-16": GOOD.decode().encode("utf-16"),
    "brackets": b"[" * 100_000,
}


async def test_a_bad_event_is_named_with_its_reason_and_costs_no_other(door: Door) -> None:
    for name, (body, reason) in BAD.items():
        answer = await door.client.post("/v1/events", content=b"[" + GOOD + b"," + body + b"]", headers=JSON)
        assert answer.status_code == 202, (name, answer.text)
        assert answer.json()["accepted"] == 1, name
        assert [(one["index"], one["reason"]) for one in answer.json()["rejected"]] == [(1, reason)], (name, answer.text)
    assert await door.ids() == ["good"] * len(BAD)
    assert sorted(row.reason for row in await door.refused()) == sorted(reason for _, reason in BAD.values())


async def test_a_bad_line_is_named_with_its_reason_and_costs_no_other(door: Door) -> None:
    for name, (body, reason) in BAD.items():
        answer = await door.client.post("/v1/events", content=body + b"\n" + GOOD + b"\n", headers=NDJSON)
        assert answer.status_code == 202, (name, answer.text)
        assert [(one["index"], one["reason"]) for one in answer.json()["rejected"]] == [(0, reason)], (name, answer.text)
    assert await door.ids() == ["good"] * len(BAD)


async def test_what_is_not_json_as_a_whole_is_400(door: Door) -> None:
    for name, body in NOT_JSON.items():
        answer = await door.client.post("/v1/events", content=body, headers=JSON)
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:problem-type:tidegauge:malformed-body"), (
            name,
            answer.text,
        )
    assert await door.logged() == {}


@pytest.mark.parametrize("body", [b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 9_999 + b"1" + b"}" * 9_999])
async def test_nesting_however_deep_is_refused(door: Door, body: bytes) -> None:
    assert (await door.client.post("/v1/events", content=body, headers=JSON)).status_code in {400, 422}
    assert await door.ids() == []


async def test_a_broken_line_costs_no_other(door: Door) -> None:
    body = lines(usage_event("a")) + b"{broken\n" + lines(usage_event("b"))
    answer = await door.client.post("/v1/events", content=body, headers=NDJSON)
    assert [(one["index"], one["reason"]) for one in answer.json()["rejected"]] == [(1, "malformed")]
    assert await door.ids() == ["a", "b"]


async def test_lines_of_which_none_is_json_are_400(door: Door) -> None:
    answer = await door.client.post("/v1/events", content=b"hello\nworld\n", headers=NDJSON)
    assert answer.status_code == 400


async def test_times_that_the_policy_may_refuse_are_accepted_with_their_bytes(door: Door) -> None:
    """Too late or in the future is for the aggregator to say; until then the bytes are kept for a dead letter."""
    events = [usage_event("old", time="1970-01-02T00:00:00Z"), usage_event("new", time="9999-12-31T23:59:59.999999Z")]
    answer = await door.client.post("/v1/events", content=encoded(events), headers=JSON)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 2)
    assert all(getattr(row, "raw", None) for row in (await door.logged())["usage"])


async def test_more_events_than_a_request_may_hold_are_413(door: Door) -> None:
    events = [request_event(f"r{number}") for number in range(10_001)]
    for body, headers in ((encoded(events), JSON), (lines(*events), NDJSON)):
        answer = await door.client.post("/v1/events", content=body, headers=headers)
        assert (answer.status_code, "10,000" in answer.json()["detail"]) == (413, True)
    assert await door.logged() == {}


async def test_as_many_events_as_a_request_may_hold_are_taken(door: Door) -> None:
    events = [request_event(f"r{number}") for number in range(10_000)]
    answer = await door.client.post("/v1/events", content=encoded(events), headers=JSON)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 10_000)
    assert len(await door.ids()) == 10_000


async def test_a_body_over_ten_megabytes_is_413_packed_or_not(door: Door) -> None:
    padding = b" " * 10_000_001
    answer = await door.client.post("/v1/events", content=padding, headers=JSON)
    assert (answer.status_code, "10,000,000 bytes" in answer.json()["detail"]) == (413, True)
    answer = await door.client.post("/v1/events", content=gzip.compress(padding), headers={**JSON, "Content-Encoding": "gzip"})
    assert (answer.status_code, "unpacked" in answer.json()["detail"]) == (413, True)


async def test_a_gzip_bomb_is_413(door: Door) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b"[" * 1_000_000) for _ in range(200)) + packer.flush()
    answer = await door.client.post("/v1/events", content=bomb, headers={**JSON, "Content-Encoding": "gzip"})
    assert answer.status_code == 413


async def test_ten_megabytes_of_refused_events_are_kept(door: Door) -> None:
    """The dead letters of one request fill several records; none is over its limit."""
    events = [usage_event(f"b{number}", data={"x": "y" * 60_000}) for number in range(150)]
    answer = await door.client.post("/v1/events", content=encoded(events), headers=JSON)
    assert (answer.status_code, len(answer.json()["rejected"])) == (422, 150)
    assert len(await door.refused()) == 150


@pytest.mark.parametrize(
    "head",
    [
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"NONSENSE\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"POST /v1/events?dry_run=%ff%fe HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_http_that_is_broken_is_a_4xx(door: Door, head: bytes) -> None:
    answer = await raw(door.address, head)
    assert answer.startswith(b"HTTP/1.1 4")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    body=st.binary(max_size=300)
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(st.sampled_from(sorted(usage_event(time="x", account="a"))), json_values).map(encoded),
    media_type=st.sampled_from(
        ["application/json", "application/cloudevents+json", "application/cloudevents-batch+json", "application/x-ndjson"]
    ),
    attributes=st.dictionaries(
        st.sampled_from(["specversion", "id", "source", "type", "subject", "time"]),
        st.text(st.characters(max_codepoint=255, min_codepoint=32), max_size=20),
    ),
)
async def test_no_bytes_whatever_make_a_500(door: Door, body: bytes, media_type: str, attributes: dict[str, str]) -> None:
    headers = {b"Content-Type": media_type.encode()}
    headers |= {
        f"ce-{name}".encode(): value.strip().encode("latin-1") for name, value in attributes.items() if "\x7f" not in value
    }
    answer = await door.client.post("/v1/events", content=body, headers=list(headers.items()))
    assert answer.status_code in {202, 400, 415, 422}
    if answer.status_code != 202:
        assert answer.headers["content-type"] == "application/problem+json"
