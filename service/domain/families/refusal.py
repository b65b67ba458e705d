"""Why an event breaks the contract: the first fault, in a fixed order, with its path, its limit and the way out.

The order: the envelope's type, missing fields, wrong types, then values; within each the envelope's fields before
those of `data`, as declared. This is the slow way, for events that the typed decoder has refused already.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from service.domain.families.envelope import TYPE, Family
from service.domain.families.fields import KIND
from service.domain.names import name_fault, source_fault
from service.domain.reasons import Reason
from service.errors import EventRefused

_SHOWN = 40
_KINDS = {"name": name_fault, "source": source_fault}
_EXPECTED: Mapping[type[inspect.Type], tuple[tuple[type, ...], str]] = {
    inspect.StrType: ((str,), "a string"),
    inspect.LiteralType: ((str,), "a string"),
    inspect.BoolType: ((bool,), "true or false"),
    inspect.IntType: ((int,), "a whole number, without quotes"),
    inspect.FloatType: ((int, float), "a number, without quotes"),
    inspect.RawType: ((int, float), "a number, without quotes"),
    inspect.DictType: ((dict,), "an object"),
    inspect.ListType: ((list,), "a list"),
    inspect.StructType: ((dict,), "an object"),
}


@dataclass(frozen=True, slots=True)
class _Field:
    path: str
    type: inspect.Type
    kind: str
    required: bool
    value: Any


def refusal_of(document: object, families: Mapping[str, Family]) -> EventRefused | None:
    """Find the first fault of a parsed event; None where types, limits and names hold nothing against it."""
    if not isinstance(document, dict):
        return EventRefused(Reason.WRONG_TYPE, "", f"an event is a JSON object, not {_kind_of(document)}; send its envelope")
    family = _family_of(document, families)
    if isinstance(family, EventRefused):
        return family
    if document.get("data_base64") is not None:
        return EventRefused(Reason.WRONG_TYPE, "data_base64", "data are JSON here; send them as an object in `data`")
    fields = list(_fields(family, document))
    for field in fields:
        if field.value is None and field.required:
            return EventRefused(Reason.MISSING_FIELD, field.path, f"is required by {family.type}; send it")
    present = [field for field in fields if field.value is not None]
    for find in (_type_fault, _value_fault):
        for field in present:
            fault = find(field.type, field.kind, field.path, field.value)
            if fault is not None:
                return fault
    return None


def _family_of(document: Mapping[str, Any], families: Mapping[str, Family]) -> Family | EventRefused:
    named = document.get(TYPE)
    known = ", ".join(families)
    if named is None:
        return EventRefused(Reason.MISSING_FIELD, TYPE, f"is required; send one of {known}")
    if not isinstance(named, str):
        return EventRefused(Reason.WRONG_TYPE, TYPE, f"is {_kind_of(named)}; send a string, one of {known}")
    if named not in families:
        return EventRefused(Reason.UNKNOWN_TYPE, TYPE, f"{named[:_SHOWN]!r} is none of {known}; send one of these")
    return families[named]


def _fields(family: Family, document: Mapping[str, Any]) -> Iterator[_Field]:
    """The envelope's fields, then those of `data` where it is an object, and of the objects in it."""
    described = _described(family.event)
    yield from _fields_of(described, document, "")
    data = document.get("data")
    inner = next(field.type for field in described.fields if field.name == "data")
    if isinstance(inner, inspect.StructType) and isinstance(data, dict):
        for field in _fields_of(inner, data, "data."):
            yield field
            if isinstance(field.type, inspect.StructType) and isinstance(field.value, dict):
                yield from _fields_of(field.type, field.value, f"{field.path}.")


@cache  # a handful of types, each described once
def _described(struct: type[msgspec.Struct]) -> inspect.StructType:
    described = inspect.type_info(struct)
    if not isinstance(described, inspect.StructType):
        raise TypeError(f"{struct.__name__} is no struct")
    return described


def _fields_of(described: inspect.StructType, document: Mapping[str, Any], prefix: str) -> Iterator[_Field]:
    for field in described.fields:
        plain, kind = _plain(field.type)
        if not isinstance(plain, inspect.NoneType):
            yield _Field(prefix + field.encode_name, plain, kind, field.required, document.get(field.encode_name))


def _plain(described: inspect.Type) -> tuple[inspect.Type, str]:
    """The type without `| None` and metadata, and its kind (`name` …)."""
    if isinstance(described, inspect.UnionType):
        described = next(one for one in described.types if not isinstance(one, inspect.NoneType))
    if isinstance(described, inspect.Metadata):
        return described.type, str((described.extra or {}).get(KIND, ""))
    return described, ""


def _type_fault(described: inspect.Type, _kind: str, path: str, value: object) -> EventRefused | None:
    accepted, wanted = _EXPECTED[type(described)]
    if isinstance(value, float) and not math.isfinite(value) and int in accepted:
        return None  # a number of some kind: its value is what is wrong
    if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in accepted):
        return EventRefused(Reason.WRONG_TYPE, path, f"is {_kind_of(value)}; send {wanted}")
    return _within(described, path, value, _type_fault)


def _value_fault(described: inspect.Type, kind: str, path: str, value: Any) -> EventRefused | None:
    fault: EventRefused | None = None
    if kind in _KINDS and (trouble := _KINDS[kind](value)) is not None:
        fault = EventRefused(Reason.BAD_NAME, path, f"{value[:_SHOWN]!r} {trouble}")
    elif isinstance(described, inspect.LiteralType) and value not in described.values:
        allowed = ", ".join(map(str, described.values))
        fault = EventRefused(Reason.OUT_OF_RANGE, path, f"{value[:_SHOWN]!r} is none of {allowed}; send one of these")
    elif isinstance(described, inspect.StrType | inspect.DictType | inspect.ListType):
        fault = _length_fault(described, path, value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        fault = _range_fault(described, path, value)
    return fault or _within(described, path, value, _value_fault)


def _within(described: inspect.Type, path: str, value: Any, find: Any) -> EventRefused | None:
    """The first fault among a map's keys and values or a list's elements."""
    parts: list[tuple[inspect.Type, str, object]] = []
    if isinstance(described, inspect.DictType):
        for key, item in value.items():
            parts += [(described.key_type, path, key), (described.value_type, f"{path}.{key[:_SHOWN]}", item)]
    elif isinstance(described, inspect.ListType):
        parts = [(described.item_type, f"{path}[{index}]", item) for index, item in enumerate(value)]
    for part, where, item in parts:
        fault: EventRefused | None = find(*_plain(part), where, item)
        if fault is not None:
            return fault
    return None


def _length_fault(described: inspect.StrType | inspect.DictType | inspect.ListType, path: str, value: Any) -> EventRefused | None:
    unit = "characters" if isinstance(described, inspect.StrType) else "entries"
    least, most = described.min_length or 0, described.max_length
    if most is not None and len(value) > most:
        return EventRefused(Reason.TOO_LONG, path, f"has {len(value)} {unit}, {most} at the most; shorten it")
    if len(value) < least:
        return EventRefused(Reason.OUT_OF_RANGE, path, f"has {len(value)} {unit}, {least} at the least; fill it or leave it out")
    pattern = getattr(described, "pattern", None)
    if pattern is not None and re.search(pattern, value) is None:
        return EventRefused(Reason.OUT_OF_RANGE, path, f"{value[:_SHOWN]!r} does not match {pattern}; send one that does")
    return None


def _range_fault(described: inspect.Type, path: str, value: float) -> EventRefused | None:
    least, most = getattr(described, "ge", None), getattr(described, "le", None)
    if isinstance(value, float) and not math.isfinite(value):
        return EventRefused(Reason.OUT_OF_RANGE, path, "is no finite number; send one, or leave the field out")
    if least is not None and value < least:
        return EventRefused(Reason.OUT_OF_RANGE, path, f"is less than {least:,}; send {_between(least, most)}")
    if most is not None and value > most:
        return EventRefused(Reason.OUT_OF_RANGE, path, f"is more than {most:,}; send {_between(least, most)}")
    return None


def _between(least: float | None, most: float | None) -> str:
    return " and ".join([f"at least {least:,}"] * (least is not None) + [f"at most {most:,}"] * (most is not None))


def _kind_of(value: object) -> str:
    """What JSON calls the value."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"
