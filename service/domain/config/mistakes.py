"""Mistakes in our own words: what pydantic found, as a sentence with its way out."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from service.domain.config.base import or_similar
from service.domain.config.lines import Path
from service.domain.config.tenant import TenantConfig

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_MAX_SHOWN: Final = 60
_WANTED: Final[Mapping[str, str]] = {
    "bool_type": "true or false",
    "date_type": "a date without quotes, as 2025-12-25",
    "datetime_type": "a time without quotes, as 2027-01-04T05:00:00Z",
    "dict_type": "a table",
    "float_type": "a number",
    "int_type": "a whole number",
    "is_instance_of": "a date without quotes, as 2025-12-25",
    "model_type": "a table",
    "string_type": "a text in quotes",
    "tuple_type": "a list in brackets",
}
_TABLES: Final = frozenset({"dict_type", "model_type", "tuple_type"})
_NUMBER_OR_PAIR: Final = "a number, or beside a `range` a pair of numbers"
_METERS: Final = "; meters need no declaration: name one where it is used, as meter.p95{meter=NAME}"


def shown(path: Path) -> str:
    """A key path as the file would write it, elements of lists counted from 0: `target[0].limit`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _BARE.fullmatch(part) else '"' + part.replace('"', '\\"') + '"')
    return text


def trimmed(item: ErrorDetails, data: Mapping[str, Any]) -> tuple[Path, bool]:
    """The part of an error's location that the data has, and whether the rest names a branch of a union."""
    location = tuple(part for part in item["loc"] if part != "[key]")
    node: Any = data
    for depth, part in enumerate(location):
        if isinstance(node, Mapping) and part in node:
            node = node[str(part)]
        elif isinstance(node, Sequence) and not isinstance(node, str) and isinstance(part, int) and part < len(node):
            node = node[part]
        elif item["type"] == "missing" and depth == len(location) - 1:
            return location, False
        else:
            return location[:depth], True
    return location, False


def sentence(item: ErrorDetails, path: Path, *, is_branch: bool = False) -> str:
    """What is wrong and the way out, without the place; `is_branch`: of a number that may be a pair as well."""
    kind, written = item["type"], _written(item["input"])
    context = item.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(path)
    if kind == "missing":
        return f"{path[-1]} is missing: write it"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"{written} is not known: write one of {context['expected']}"
    if is_branch or kind in _WANTED:
        form = _form(path) if len(path) == 1 and kind in _TABLES else ""
        return form or f"{written} does not fit: write {_NUMBER_OR_PAIR if is_branch else _WANTED[kind]}"
    if kind == "too_long":
        return f"{context['actual_length']} entries are too many: at most {context['max_length']}"
    if kind == "too_short":
        return f"{written} is too short: write at least {context['min_length']}"
    return f"{written} does not fit: {item['msg'].removeprefix('Input should ').removeprefix('be ')}"


def _form(path: Path) -> str:
    """How a whole table of the file is written; "" for what is no table."""
    name = path[0]
    field = next((each for key, each in TenantConfig.model_fields.items() if (each.alias or key) == name), None)
    if field is None:
        return ""
    kind, model = get_origin(field.annotation) or field.annotation, _model_in(field.annotation)
    if kind is tuple:
        return f"is written as [[{name}]]"
    return f"is written as [{name}.NAME]" if kind is dict and model is not None else f"is written as [{name}]"


def _unknown(path: Path) -> str:
    known = _keys_at(path[:-1])
    name = str(path[-1])
    if len(path) == 1:
        return f"there is no table or key {name}{_METERS if name == 'meters' else or_similar(name, known)}"
    return f"there is no key {name} here{or_similar(name, known)}; known are {', '.join(sorted(known))}"


def _keys_at(path: Path) -> list[str]:
    """The keys that the table at a path may have."""
    model: type[BaseModel] = TenantConfig
    for part in path:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if part in fields:
            model = _model_in(fields[str(part)].annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each))), None)


def _written(value: object) -> str:
    """A value as TOML would show it, cut to a readable length."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value.isoformat() if isinstance(value, date | datetime) else repr(value).replace("'", '"')
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
