"""The text of a configuration, TOML or JSON: its values, and where each of them stands."""

import json
import re
import tomllib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, Literal, NoReturn, assert_never

from service.domain.config.lines import Lines, Path
from service.domain.config.tenant import TenantConfig
from service.errors import InvalidConfiguration, Mistake

MAX_CHARACTERS: Final = 1_000_000
MAX_DEPTH: Final = 16
_AT_LINE = re.compile(r"\s*\(at (?:line (?P<line>\d+), column \d+|end of document)\)$")

Form = Literal["toml", "json"]
"""JSON has the same keys; its dates and times are texts, and null is as good as left out."""


class Document:
    """One text that could be read; raises InvalidConfiguration for one that cannot, with the line where that shows."""

    def __init__(self, text: str, form: Form) -> None:
        if len(text) > MAX_CHARACTERS:
            message = f"the file has {len(text)} characters and may have {MAX_CHARACTERS}: leave out what is not declared"
            raise InvalidConfiguration([Mistake("", 1, message)])
        self.text = text
        self.form = form
        self.data = _read_toml(text) if form == "toml" else _read_json(text)
        if deep := _too_deep(self.data):
            message = f"tables and lists lie more than {MAX_DEPTH} deep in it: no key of a configuration does"
            raise InvalidConfiguration([Mistake(deep, 1, message)])

    def line_of(self, path: Path) -> int:
        """The line of a key, from 1; 0 in JSON, where the path has to do."""
        return self._lines.of(path) if self._lines is not None else 0

    def validated(self, data: Mapping[str, Any], context: Mapping[str, Any]) -> TenantConfig:
        """The configuration that the values are, or those that `data` puts in their place; raises ValidationError."""
        match self.form:
            case "toml":
                return TenantConfig.model_validate(data, by_name=False, by_alias=True, context=dict(context))
            case "json":
                return TenantConfig.model_validate_json(json.dumps(data), by_name=False, by_alias=True, context=dict(context))
            case _:
                assert_never(self.form)

    @cached_property
    def _lines(self) -> Lines | None:
        return Lines(self.text) if self.form == "toml" else None


def _read_toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        message = str(error)
        at = _AT_LINE.search(message)
        line = int(at["line"]) if at and at["line"] else text.count("\n") + (not text.endswith("\n"))
        raise InvalidConfiguration([Mistake("", max(1, line), f"no TOML: {_AT_LINE.sub('', message)}")]) from error


def _read_json(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text, object_pairs_hook=_each_once, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise InvalidConfiguration([Mistake("", error.lineno, f"no JSON: {error.msg}")]) from error
    except (ValueError, RecursionError) as error:
        raise InvalidConfiguration([Mistake("", 1, f"no JSON: {error}")]) from error
    if not isinstance(data, dict):
        raise InvalidConfiguration([Mistake("", 1, "no configuration: write an object with the tables as its members")])
    return data


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The members of an object but its nulls; raises ValueError for one that stands twice."""
    if len(dict(pairs)) < len(pairs):
        names = [name for name, _ in pairs]
        again = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{again!r} stands twice in the same object: write it once")
    return {name: value for name, value in pairs if value is not None}


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON: write a finite number")


def _too_deep(data: Mapping[str, object]) -> str:
    """The first key whose value nests deeper than anything that can be declared; "" where none does."""
    for key, value in data.items():
        level = [value]
        for _ in range(MAX_DEPTH):
            level = [inner for each in level for inner in _inside(each)]
        if level:
            return key
    return ""


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
