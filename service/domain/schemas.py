"""The published contract: JSON Schema (draft 2020-12) of every event type, made from the types that decode them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from service.domain.families.envelope import TYPE, Family
from service.domain.families.registry import FAMILIES

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ENVELOPE_NOTES: Mapping[str, str] = {
    "specversion": "The version of CloudEvents",
    "id": "The same (source, id, time) again is the same event and is counted once",
    "source": "The emitting service",
    "type": "The family of the event",
    "subject": "The entity that the event is about",
    "time": "When it happened, with an offset; missing: the time of receipt",
    "account": "The customer company; missing: platform-wide",
}


def schemas() -> dict[str, Any]:
    """By CloudEvents `type`: the schema of the whole envelope with its `data`, each with an example.

    Unknown attributes and unknown fields of `data` are allowed: they are ignored (those of `data` counted).
    """
    return {family.type: _schema(family) for family in FAMILIES}


def _schema(family: Family) -> dict[str, Any]:
    definitions: dict[str, Any] = msgspec.json.schema(family.event)["$defs"]
    envelope = definitions.pop(family.event.__name__)
    data = definitions.pop(family.event.__annotations__["data"].__name__)
    properties = _with_defaults(envelope["properties"], {})
    # What is never taken is not offered.
    del properties["data_base64"], data["title"]
    data |= {
        "description": family.title,
        "properties": _in_place(_with_defaults(data["properties"], family.defaults), definitions),
        "additionalProperties": True,
        **family.rules,
    }
    for name, note in _ENVELOPE_NOTES.items():
        properties[name]["description"] = note
    return {
        "$schema": DIALECT,
        "$id": f"urn:tidegauge:schema:{family.type}",
        "title": f"{family.type}: {family.title}",
        "type": "object",
        "properties": {TYPE: properties.pop(TYPE), **properties, "data": data},
        "required": envelope["required"],
        "additionalProperties": True,
        "examples": [dict(family.example)],
    }


def _with_defaults(properties: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with what a missing one means, in place of the decoder's null."""
    made = {}
    for name, described in properties.items():
        made[name] = {key: value for key, value in described.items() if key != "default"}
        if name in defaults:
            made[name]["default"] = defaults[name]
    return made


def _in_place(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with what it refers to (money, say) written where it is referred to."""
    if isinstance(schema, list):
        return [_in_place(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        referred = definitions[schema["$ref"].rpartition("/")[2]]
        return {**_in_place(referred, definitions), "additionalProperties": True}
    return {name: _in_place(part, definitions) for name, part in schema.items()}
