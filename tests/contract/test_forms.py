"""The forms of a body: what is an event in each, and when the body as a whole is none."""

from typing import Any

import pytest

from service.domain.families.rows import RejectedRow
from service.domain.reasons import Reason
from service.errors import BodyMalformed, TooManyEvents
from service.ingest.decode import Batch, Form

from .samples import LEAST_DATA, LIMITS, LIVE, decode, decoder, event, row_of, text

ATTRIBUTES = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/tests",
    "type": "io.tidegauge.probe.v1",
    "time": "2025-11-17T11:00:00Z",
    "subject": "subject-1",
}
DATA = text(LEAST_DATA["probe"])


def binary(body: bytes, **attributes: Any) -> Batch:
    return decoder().decode(body, Form.BINARY, LIVE, {**ATTRIBUTES, **attributes})


def reasons(batch: Batch) -> list[Reason]:
    return [rejection.reason for rejection in batch.rejected]


def test_an_event_gives_the_same_row_in_every_form() -> None:
    document = event("probe")
    expected = {"probe": [row_of(document)]}
    assert decode(document, Form.OBJECT).rows == expected
    assert decode([document], Form.ARRAY).rows == expected
    assert decode([document], Form.JSON).rows == expected
    assert decode(document, Form.NDJSON).rows == expected
    assert binary(DATA).rows == expected


@pytest.mark.parametrize("form", [Form.ARRAY, Form.JSON])
def test_an_empty_array_is_an_empty_batch(form: Form) -> None:
    for body in (b"[]", b" [ ] \r\n", b"\xef\xbb\xbf[]"):
        assert decode(body, form) == Batch()


def test_white_space_and_a_byte_order_mark_around_the_events_mean_nothing() -> None:
    document = text(event("probe"))
    for body in (b" \n%s\t" % document, b"\xef\xbb\xbf%s" % document, b"\r\n[ %s ]\n" % document):
        assert decode(body).accepted == 1


@pytest.mark.parametrize("form", [Form.JSON, Form.OBJECT, Form.ARRAY])
@pytest.mark.parametrize("body", [
    b"", b" ", b"x", b"5", b'"text"', b"null", b"{", b"[", b"]", b"}", b"[1,2", b"[{]", b"{}}", b"[]]", b"[] []", b"[1,]",
    b"[,1]", b"[1 2]", b'{"id":"a}', b"{'id':'a'}", b'{"id":}', b'[{"id":tru}]', b'["a]', b"\xff", b"[\xff]", b"[]\x00",
    b"<xml/>",     '{"id":"a"}'.encode("utf-16"), b"\x1f\x8b\x08\x00", b"[" * 100_000, b"{" * 100_000, b'[{"a":' * 50_000,
])  # fmt: skip
def test_a_body_that_is_not_json_as_a_whole_is_malformed(body: bytes, form: Form) -> None:
    with pytest.raises(BodyMalformed, match=r"send|Expecting"):
        decode(body, form)


def test_a_body_of_another_form_than_announced_is_malformed() -> None:
    with pytest.raises(BodyMalformed, match="send one event, an object"):
        decode([event("probe")], Form.OBJECT)
    with pytest.raises(BodyMalformed, match="send an array of events"):
        decode(event("probe"), Form.ARRAY)


def test_too_many_events_are_refused_together() -> None:
    most = LIMITS.max_request_events
    document = text(event("probe"))
    for form, around, between in ((Form.ARRAY, b"[%s]", b","), (Form.NDJSON, b"%s", b"\n")):
        assert decode(around % between.join([document] * most), form).accepted == most
        with pytest.raises(TooManyEvents, match="more than 1,000 events"):
            decode(around % between.join([document] * (most + 1)), form)


@pytest.mark.parametrize(
    "body", [b"[" + b"1," * 2_000_000 + b"1]", b"[" + b"{}," * 1_000 + b"{}]", b"[" + b'"\xff",' * 1_000 + b"1]"]
)
def test_too_many_scraps_are_told_without_making_them_all(body: bytes) -> None:
    with pytest.raises(TooManyEvents):
        decode(body)


def test_a_line_is_an_event_and_blank_lines_are_none() -> None:
    document = text(event("probe"))
    body = b"\n\r\n%s\r\n \t \n{broken\n%s\n5\n\n%s" % (document, document, document)
    batch = decode(body, Form.NDJSON)
    assert batch.accepted == 3
    assert [(rejection.index, rejection.reason) for rejection in batch.rejected] == [
        (1, Reason.MALFORMED),
        (3, Reason.WRONG_TYPE),
    ]


def test_an_event_over_two_lines_and_two_events_in_one_are_broken_lines() -> None:
    document = text(event("probe"))
    batch = decode(b"%s\n%s %s\n%s" % (document, document, document, document.replace(b', "data"', b',\n"data"')), Form.NDJSON)
    assert batch.accepted == 1
    assert reasons(batch) == [Reason.MALFORMED] * 3


def test_lines_of_which_none_is_json_are_malformed_as_a_whole() -> None:
    for body in (b"x", b"x\ny\n", b"{\n{\n", b"\xff\n"):
        with pytest.raises(BodyMalformed, match="send one event a line"):
            decode(body, Form.NDJSON)
    assert reasons(decode(b"x\n5", Form.NDJSON)) == [Reason.MALFORMED, Reason.WRONG_TYPE]


def test_no_lines_are_an_empty_batch() -> None:
    for body in (b"", b"\n\n", b" \r\n"):
        assert decode(body, Form.NDJSON) == Batch()


def test_binary_attributes_are_held_to_the_same_limits() -> None:
    assert reasons(binary(DATA, id="")) == [Reason.OUT_OF_RANGE]
    assert reasons(binary(DATA, source="a b")) == [Reason.BAD_NAME]
    assert reasons(binary(DATA, type="x")) == [Reason.UNKNOWN_TYPE]
    assert reasons(binary(DATA, time="now")) == [Reason.BAD_TIME]
    assert reasons(binary(DATA, id="\udcff")) == [Reason.MALFORMED]
    assert reasons(binary(DATA, specversion="0.3")) == [Reason.OUT_OF_RANGE]
    assert reasons(decoder().decode(DATA, Form.BINARY, LIVE, {})) == [Reason.MISSING_FIELD]
    assert reasons(decoder().decode(DATA, Form.BINARY, LIVE)) == [Reason.MISSING_FIELD]
    assert binary(DATA, account="acme", traceparent="00-1").rows["probe"][0].account == "acme"  # type: ignore[union-attr]


def test_a_binary_body_is_json_data_and_nothing_more() -> None:
    for body in (b'%s,"id":"other"' % DATA, b'%s},{"a":1' % DATA, b"{tru}", b"[1", b"}", b'"x', b"{} {}"):
        with pytest.raises(BodyMalformed):
            binary(body)
    assert reasons(binary(b"")) == [Reason.MISSING_FIELD]
    assert reasons(binary(b"5")) == [Reason.WRONG_TYPE]
    assert reasons(binary(b'{"component":"\xff"}')) == [Reason.MALFORMED]
    assert reasons(binary(b"[" * 40 + b"]" * 40)) == [Reason.MALFORMED]


@pytest.mark.parametrize("media_type", ["", "application/json", "Application/JSON; charset=utf-8", "application/vnd.probe+json"])
def test_binary_data_of_a_json_media_type_are_taken(media_type: str) -> None:
    assert binary(DATA, datacontenttype=media_type).accepted == 1


@pytest.mark.parametrize("media_type", ["text/plain", "application/octet-stream", "application/avro"])
def test_binary_data_of_another_media_type_are_refused_and_kept(media_type: str) -> None:
    batch = binary(b"\x00\xff", datacontenttype=media_type)
    (row,) = batch.rows["rejected"]
    assert isinstance(row, RejectedRow)
    assert (row.id, row.reason) == ("e-1", "wrong_type")
    assert b'"data_base64": "AP8="' in row.raw


def test_a_binary_event_cannot_reach_into_its_envelope() -> None:
    batch = binary(DATA, data='{"component":"other"}', data_base64="e30=")
    assert batch.rows["probe"][0].component == "api"  # type: ignore[union-attr]
