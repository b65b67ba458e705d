"""The published contract says what the decoder does."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from service.domain.families.registry import BY_TYPE, FAMILIES
from service.domain.reasons import Reason
from service.domain.schemas import DIALECT, schemas
from service.ingest.decode import Form, Stamp
from tests.ingest.batches import rows_of

from .samples import LIVE, decode, decoder, row_of

PILOT_WEEK = Path(__file__).parents[2] / "service" / "demo" / "pilot-week.ndjson.gz"


def test_every_type_that_is_taken_is_published() -> None:
    assert list(schemas()) == list(BY_TYPE)
    assert json.loads(json.dumps(schemas())) == schemas()


@pytest.mark.parametrize("type_", BY_TYPE)
def test_a_schema_stands_for_the_whole_envelope(type_: str) -> None:
    schema = schemas()[type_]
    assert schema["$schema"] == DIALECT
    assert schema["type"] == "object"
    assert schema["properties"]["type"]["enum"] == [type_]
    assert {"specversion", "id", "source", "type", "data"} <= set(schema["required"])
    assert "data_base64" not in schema["properties"]
    assert "$ref" not in json.dumps(schema)


@pytest.mark.parametrize("family", FAMILIES, ids=[family.name for family in FAMILIES])
def test_a_schema_offers_the_fields_that_the_decoder_knows(family: Any) -> None:
    schema = schemas()[family.type]
    data = schema["properties"]["data"]
    assert list(data["properties"]) == list(family.event.__annotations__["data"].__struct_fields__)
    for place in (schema, data):
        assert place["additionalProperties"] is True
    for name in data.get("required", []):
        document = {**family.example, "data": {key: value for key, value in family.example["data"].items() if key != name}}
        assert decode(document).rejected[0].reason is Reason.MISSING_FIELD


@pytest.mark.parametrize("family", FAMILIES, ids=[family.name for family in FAMILIES])
def test_an_example_is_taken_as_it_stands(family: Any) -> None:
    (example,) = schemas()[family.type]["examples"]
    assert example == family.example
    row = row_of(example)
    assert row.id == example["id"]
    assert decode(example).unknown_fields == 0


def test_defaults_are_those_that_rows_show() -> None:
    for family in FAMILIES:
        for name, value in family.defaults.items():
            written = {**family.example, "data": {**family.example["data"], name: value}}
            left_out = {**family.example, "data": {key: one for key, one in family.example["data"].items() if key != name}}
            assert row_of(written) == row_of(left_out)


def test_money_and_dates_are_described_where_they_stand() -> None:
    fields = schemas()["io.tidegauge.account.v1"]["properties"]["data"]["properties"]
    money = next(form for form in fields["mrr"]["anyOf"] if form.get("type") == "object")
    assert sorted(money["properties"]) == money["required"] == ["amount", "currency"]
    assert money["additionalProperties"] is True
    assert "date" in [form.get("format") for form in fields["renewal"]["anyOf"]]


def test_the_pilot_week_is_taken_whole() -> None:
    body = gzip.decompress(PILOT_WEEK.read_bytes())
    sent = Counter(json.loads(line)["type"] for line in body.splitlines())
    pilot = decoder()
    stamp = Stamp(tenant=1, received_us=LIVE.received_us, backfill=True)
    taken: Counter[str] = Counter()
    lines = body.splitlines()
    for start in range(0, len(lines), 500):
        batch = pilot.decode(b"\n".join(lines[start : start + 500]), Form.NDJSON, stamp)
        assert batch.rejected == []
        assert batch.unknown_fields == 0
        taken.update({family: len(rows) for family, rows in rows_of(batch).items()})
    assert taken == {BY_TYPE[type_].name: count for type_, count in sent.items()}
