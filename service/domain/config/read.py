"""Reading a tenant's file: all of its mistakes at once, each with its key path and line."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from service.domain.config.base import Several
from service.domain.config.document import Document, Form
from service.domain.config.formulas import with_formulas
from service.domain.config.lines import Path
from service.domain.config.mistakes import sentence, shown, trimmed
from service.domain.config.related import related
from service.domain.config.shape import KnownKpis
from service.domain.config.tenant import TenantConfig
from service.errors import InvalidConfiguration, Mistake


def parse(text: str, *, known_kpis: KnownKpis = (), timezone: str = "UTC", form: Form = "toml") -> TenantConfig:
    """Read and check a file; `timezone` counts where the file names none.

    With the catalog's shapes as `known_kpis`, selectors are checked against it and amounts converted
    to the KPI's unit; without, names go unchecked and amounts have to be plain numbers.
    Raises InvalidConfiguration with every mistake, in the order of the lines.
    """
    return checked(Document(text, form), known_kpis=known_kpis, timezone=timezone)


def checked(document: Document, *, known_kpis: KnownKpis, timezone: str) -> TenantConfig:
    """The same of a text that was read already."""
    data = document.data
    known, found = with_formulas(data, known_kpis)
    found += related(data)
    tenant = data.get("tenant", {})
    if isinstance(tenant, dict):
        data = {**data, "tenant": {"timezone": timezone, **tenant}}
    try:
        config = document.validated(data, {"known_kpis": known})
    except ValidationError as error:
        found += _found(error, data)
    if found:
        mistakes = [Mistake(shown(path), document.line_of(path), message) for path, message in found]
        raise InvalidConfiguration(sorted(mistakes, key=lambda each: each.line))
    return config


def calendar_of(document: Document, *, timezone: str) -> TenantConfig | None:
    """The time zone and the beginning alone of a file that has other mistakes; None where these cannot be read either."""
    tenant = document.data.get("tenant", {})
    zone = tenant.get("timezone", timezone) if isinstance(tenant, dict) else timezone
    begins = {name: value for name, value in document.data.items() if name == "valid_from"}
    try:
        return document.validated({"tenant": {"timezone": zone}, **begins}, {})
    except ValidationError:
        return None


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
