"""The file to begin from says every key with its default, and changes nothing but what every KPI needs to have figures."""

import re
import tomllib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from service.catalog import Catalog
from service.domain.churn_table import POINTS
from service.domain.config import TenantConfig, parse
from service.domain.config.default import DEFAULT_FILE

WHOLE = re.sub(r'^#(?=[\w\["])', "", DEFAULT_FILE, flags=re.MULTILINE)
"""The file with its examples of keys that have no default."""


def model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := model_in(each))), None)


def missing_in(written: Any, model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Keys of a model that no table of that kind in the file has."""
    tables = [each for each in written if isinstance(each, dict)]
    for name, field in model.model_fields.items():
        key = field.alias or name
        values = [table[key] for table in tables if key in table]
        if not values:
            yield f"{path}{key}"
            continue
        inner = model_in(field.annotation)
        if inner is not None:
            yield from missing_in(list(tables_in(values, inner)), inner, f"{path}{key}.")


def tables_in(values: list[Any], model: type[BaseModel]) -> Iterator[Any]:
    """The tables of a model in values that are such tables, lists of them, or tables of them by name."""
    for value in values:
        if isinstance(value, list):
            yield from value
        elif {field.alias or name for name, field in model.model_fields.items()} & set(value):
            yield value
        else:
            yield from value.values()


KEPT_FOR_KPIS = '[features."*"]\nfrequency = true\n[freshness."*"]\nlimit_s = 86400\n'
"""What the defaults leave out, for it costs something: without it three KPIs have no figures."""


def test_the_file_to_begin_from_changes_nothing_but_what_every_kpi_needs() -> None:
    assert parse(DEFAULT_FILE) == parse(KEPT_FOR_KPIS)


def test_every_kpi_that_the_file_to_begin_from_names_is_in_the_catalog() -> None:
    shapes = Catalog.load().shapes()
    assert parse(DEFAULT_FILE, known_kpis=shapes) == parse(KEPT_FOR_KPIS, known_kpis=shapes)
    assert parse(WHOLE, known_kpis=shapes) != parse(KEPT_FOR_KPIS, known_kpis=shapes)


def test_the_file_to_begin_from_says_every_key() -> None:
    data = tomllib.loads(WHOLE)
    assert list(missing_in([data], TenantConfig)) == []
    assert set(data["churn"]) == {*POINTS, "signal_days"}


def test_a_key_that_is_left_out_would_be_missed() -> None:
    data = tomllib.loads(
        WHOLE.replace("#limit_s", "").replace("limit_s = 3600", "").replace("limit_s = 86_400", "").replace("min_events = 0", "")
    )
    assert list(missing_in([data], TenantConfig)) == ["freshness.limit_s", "slo.min_events"]
