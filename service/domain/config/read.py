"""Reading a tenant's file: all of its mistakes at once, each with its key path and line."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from service.domain.config.base import Several
from service.domain.config.lines import Lines, Path
from service.domain.config.mistakes import sentence, shown, trimmed
from service.domain.config.shape import KnownKpis
from service.domain.config.tenant import TenantConfig
from service.errors import InvalidConfiguration, Mistake

MAX_CHARACTERS: Final = 1_000_000
MAX_DEPTH: Final = 16
_AT_LINE = re.compile(r"\s*\(at (?:line (?P<line>\d+), column \d+|end of document)\)$")


def parse(text: str, *, known_kpis: KnownKpis = (), timezone: str = "UTC") -> TenantConfig:
    """Read and check a file; `timezone` counts where the file names none.

    With the catalog's shapes as `known_kpis`, selectors are checked against it and amounts converted
    to the KPI's unit; without, names go unchecked and amounts have to be plain numbers.
    Raises InvalidConfiguration with every mistake, in the order of the lines.
    """
    data = read_toml(text)
    lines = Lines(text)
    found: list[tuple[Path, str]] = []
    tenant = data.get("tenant", {})
    if isinstance(tenant, dict):
        data["tenant"] = {"timezone": timezone, **tenant}
    try:
        config = TenantConfig.model_validate(data, by_name=False, by_alias=True, context={"known_kpis": known_kpis})
    except ValidationError as error:
        found += _found(error, data)
    if found:
        mistakes = [Mistake(shown(path), lines.of(path), message) for path, message in found]
        raise InvalidConfiguration(sorted(mistakes, key=lambda each: each.line))
    return config


def parse_calendar(text: str, *, timezone: str) -> TenantConfig | None:
    """The time zone and the beginning alone of a file that has other mistakes; None where these cannot be read either."""
    try:
        data = read_toml(text)
        zone = data.get("tenant", {}).get("timezone", timezone)
        begins = {name: value for name, value in data.items() if name == "valid_from"}
        return TenantConfig.model_validate({"tenant": {"timezone": zone}, **begins})
    except (InvalidConfiguration, ValidationError, AttributeError):
        return None


def read_toml(text: str) -> dict[str, Any]:
    """The file's values; raises InvalidConfiguration where it is no TOML, with the line where that shows."""
    if len(text) > MAX_CHARACTERS:
        message = f"the file has {len(text)} characters and may have {MAX_CHARACTERS}: leave out what is not declared"
        raise InvalidConfiguration([Mistake("", 1, message)])
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        message = str(error)
        at = _AT_LINE.search(message)
        line = int(at["line"]) if at and at["line"] else text.count("\n") + (not text.endswith("\n"))
        raise InvalidConfiguration([Mistake("", max(1, line), f"no TOML: {_AT_LINE.sub('', message)}")]) from error
    if deep := _too_deep(data):
        message = f"tables and lists lie more than {MAX_DEPTH} deep in it: no key of a configuration does"
        raise InvalidConfiguration([Mistake(deep, 1, message)])
    return data


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


def _found(error: ValidationError, data: Mapping[str, Any]) -> list[tuple[Path, str]]:
    found: dict[tuple[Path, str], None] = {}
    told: set[Path] = set()
    for item in error.errors(include_url=False):
        if item["type"] == "too_short" and len(item["input"]) >= item.get("ctx", {}).get("min_length", 0):
            continue  # only because its elements are mistakes, which are told
        path, is_branch = trimmed(item, data)
        if is_branch and path in told:
            continue  # the other branch of a union says the same of the same value
        told.add(path)
        several = item.get("ctx", {}).get("error")
        if isinstance(several, Several):
            found |= {((*path, *rest), message): None for rest, message in several.parts}
        else:
            found[path, sentence(item, path, is_branch=is_branch)] = None
    return list(found)
