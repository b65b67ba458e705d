"""Laws of the decoder: it answers everything, and cuts of a request change nothing."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.families.registry import FAMILIES
from service.errors import BodyMalformed, TooManyEvents
from service.ingest.decode import Batch, Decoder, Form

from .samples import LEAST_DATA, LIVE, PATIENT, decoder, event

DECODER: Decoder = decoder()
forms = st.sampled_from(Form)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["", "\x00", "\ud800", "~a", "a,b"]),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)),
    max_leaves=12,
)
field_names = sorted({name for family in FAMILIES for name in family.event.__annotations__["data"].__struct_fields__})


@st.composite
def near_events(draw: st.DrawFn) -> dict[str, Any]:
    """Events that are right but for a few attributes and fields."""
    family = draw(st.sampled_from(sorted(LEAST_DATA)))
    data = draw(st.dictionaries(st.sampled_from([*field_names, "unknown"]), st.one_of(json_values, st.just(...)), max_size=3))
    names = st.sampled_from(["id", "source", "type", "time", "subject", "account", "data", "specversion", "data_base64", "other"])
    return event(family, data, **draw(st.dictionaries(names, st.one_of(json_values, st.just(...)), max_size=2)))


def outcome(body: bytes, form: Form) -> Batch | None:
    try:
        return DECODER.decode(
            body, form, LIVE, {"specversion": "1.0", "id": "b", "source": "/b", "type": "io.tidegauge.probe.v1"}
        )
    except (BodyMalformed, TooManyEvents):
        return None


def settled(batch: Batch) -> int:
    """Events of a batch: every one is either in its family's rows or among the rejected, with a row there too."""
    accepted = sum(len(rows) for family, rows in batch.rows.items() if family != "rejected")
    assert accepted == batch.accepted
    assert len(batch.rows.get("rejected", [])) == len(batch.rejected)
    return accepted + len(batch.rejected)


@given(st.binary(max_size=200), forms)
@settings(PATIENT, max_examples=200)
def test_any_bytes_get_an_answer(body: bytes, form: Form) -> None:
    batch = outcome(body, form)
    assert batch is None or settled(batch) >= 0


@given(json_values, forms)
@settings(PATIENT, max_examples=200)
def test_any_json_gets_an_answer(document: object, form: Form) -> None:
    batch = outcome(json.dumps(document).encode(), form)
    assert batch is None or settled(batch) >= 0


@given(near_events(), st.data())
@settings(PATIENT, max_examples=150)
def test_any_damage_to_an_event_gets_an_answer(document: dict[str, Any], data: st.DataObject) -> None:
    body = bytearray(json.dumps(document).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        body = body or bytearray(b" ")
    for form in Form:
        outcome(bytes(body), form)
        outcome(b"[%s]" % bytes(body), form)


@given(st.lists(near_events(), max_size=6), st.booleans())
@settings(PATIENT, max_examples=150)
def test_a_batch_is_decoded_as_its_events_one_by_one(documents: list[dict[str, Any]], ascii_only: bool) -> None:  # noqa: FBT001 drawn
    raws = [json.dumps(one, ensure_ascii=ascii_only).encode(errors="surrogatepass") for one in documents]
    together = DECODER.decode(b"[%s]" % b",".join(raws), Form.ARRAY, LIVE)
    assert settled(together) == len(documents)
    lines = outcome(b"\n".join(raws), Form.NDJSON)
    assert lines is not None
    alone = [DECODER.decode(raw, Form.OBJECT, LIVE) for raw in raws]
    for batch in (together, lines):
        assert batch.accepted == sum(one.accepted for one in alone)
        assert batch.unknown_fields == sum(one.unknown_fields for one in alone)
        assert batch.rounded == sum(one.rounded for one in alone)
        for family, rows in batch.rows.items():
            assert rows == [row for one in alone for row in one.rows.get(family, [])]
        assert [(one.id, one.reason, one.detail) for one in batch.rejected] == [
            (rejection.id, rejection.reason, rejection.detail) for one in alone for rejection in one.rejected
        ]


@given(st.lists(near_events(), min_size=1, max_size=4), st.integers(0, 4))
@PATIENT
def test_good_events_always_survive_next_to_bad_ones(documents: list[dict[str, Any]], place: int) -> None:
    good = event("request", id="survivor")
    batch = DECODER.decode(json.dumps([*documents[:place], good, *documents[place:]]).encode(), Form.ARRAY, LIVE)
    assert "survivor" in [row.id for row in batch.rows.get("request", [])]
