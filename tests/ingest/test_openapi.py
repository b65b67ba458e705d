"""What the document says of the door is so: every example that it shows is taken as it stands."""

import json
from typing import Any

import pytest

from tests.ingest.door import Door


async def operation(door: Door) -> dict[str, Any]:
    document = (await door.client.get("/openapi.json")).json()
    found: dict[str, Any] = document["paths"]["/v1/events"]["post"]
    return found


async def test_every_example_of_the_document_is_accepted(door: Door) -> None:
    posted = await operation(door)
    attributes = {one["name"]: one["example"] for one in posted["parameters"] if one["in"] == "header" and "example" in one}
    sent = 0
    for media_type, content in posted["requestBody"]["content"].items():
        for name, example in content["examples"].items():
            value = example["value"]
            body = value if isinstance(value, str) else json.dumps(value)
            headers = {"Content-Type": media_type} | (attributes if name == "binary" else {})
            answer = await door.client.post("/v1/events", content=body, headers=headers)
            assert (answer.status_code, answer.json()["rejected"]) == (202, []), (media_type, name, answer.text)
            sent += answer.json()["accepted"]
    assert sent == 9
    assert len(await door.ids()) == sent


async def test_the_document_names_every_form_answer_and_way_to_hand_over_a_key(door: Door) -> None:
    posted = await operation(door)
    assert list(posted["requestBody"]["content"]) == [
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
        "application/json",
        "application/x-ndjson",
    ]
    assert posted["security"] == [{"bearer": ["ingest"]}, {"basic": ["ingest"]}]
    assert sorted(posted["responses"], key=int) == ["200", "202", "400", "401", "403", "408", "413", "415", "422", "429", "503"]
    for status, entry in posted["responses"].items():
        wanted = "application/json" if int(status) < 300 else "application/problem+json"
        assert list(entry["content"]) == [wanted]
    for status in ("429", "503"):
        assert "Retry-After" in posted["responses"][status]["headers"]
    assert "dry_run" in [one["name"] for one in posted["parameters"]]


async def test_every_reference_of_the_document_leads_somewhere(door: Door) -> None:
    document = (await door.client.get("/openapi.json")).json()

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [one for part in value.values() for one in references(part)]
        if isinstance(value, list):
            return [one for part in value for one in references(part)]
        return []

    for reference in references(document):
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
    assert {"bearer", "basic"} <= document["components"]["securitySchemes"].keys()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_405(door: Door, method: str) -> None:
    answer = await door.client.request(method, "/v1/events")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
