"""Answers about KPIs: values with their target and status, as JSON bodies and as lines of a table."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from service.catalog import Kpi, Question, Value, Window
from service.catalog.choices import choices_of
from service.catalog.kpi import Suggestion
from service.domain.config import TenantConfig
from service.domain.targets import judge
from service.expose.moments import rfc3339

Body = dict[str, Any]
PLAIN = "value"
"""What a KPI's plain value is called where a name is needed."""


def described(kpi: Kpi) -> Body:
    """A KPI as the catalog lists it."""
    head = kpi.head
    suggested = [_suggested(statistic, each) for statistic, each in kpi.suggestions.items()]
    return {
        "id": head.id,
        "title": head.title,
        "definition": head.definition,
        "family": head.family,
        "unit": head.unit,
        "kind": head.kind,
        "better": head.better,
        "dimensions": head.dimensions,
        "required": head.required,
        "windows": [name for name in head.windows if kpi.takes(name)],
        "custom_bounds": head.custom,
        "default_window": head.default_window,
        "default_statistic": head.default_statistic or None,
        "statistics": [
            {"name": name or None, "title": each.title, "unit": each.unit, "better": each.better}
            for name, each in kpi.statistics.items()
        ],
        "parameters": [
            {"name": name, "title": each.title, "values": each.values, "default": each.default or None}
            for name, each in head.parameters.items()
        ],
        "suggested_target": suggested[0] if suggested else None,
        "suggested_targets": suggested,
    }


def _suggested(statistic: str, suggestion: Suggestion) -> Body:
    return {
        "statistic": statistic or None,
        "op": suggestion.op,
        "target": suggestion.target,
        "limit": suggestion.limit,
        "up_to": suggestion.up_to,
        "example": suggestion.example,
    }


def window_body(window: Window) -> Body:
    """The bounds that a window took."""
    return {
        "name": window.name or None,
        "start": rfc3339(window.start_us),
        "end": rfc3339(window.end_us),
        "timezone": window.zone,
    }


def judged(kpi: Kpi, config: TenantConfig, window: Window, value: Value, asked: Question) -> Body:
    """One figure of what was asked, with its target, status and reason."""
    statistic = kpi.statistics[value.statistic]
    judgement = judge(
        config,
        kpi=kpi.id,
        statistic=value.statistic or None,
        dims={**{name: tuple(values) for name, values in asked.filters.items()}, **value.dims},
        window=window.name or None,
        value=value.value,
        adds_up=statistic.kind == "count",
        apart=kpi.head.apart,
        choices=choices_of(kpi, asked),
    )
    is_range = judgement.range is not None
    return {
        "value": value.value,
        "numerator": number(value.numerator),
        "denominator": number(value.denominator),
        "unit": unit_of(kpi, value),
        "op": judgement.op or None,
        "target": judgement.range if is_range else judgement.target,
        "limit": judgement.range_limit if is_range else judgement.limit,
        "benchmark": judgement.benchmark,
        "status": judgement.status.value,
        "reason": value.reason or judgement.reason or None,
        "note": value.note or None,
    }


def unit_of(kpi: Kpi, value: Value) -> str:
    """The unit of a figure: its statistic's, else that which a meter's events name; counts have none."""
    own = kpi.statistics[value.statistic].unit
    return own or (value.dims.get("unit") or value.dims.get("currency", "") if value.statistic != "count" else "")


def with_statistics(figures: Mapping[str, Body], statistics: Sequence[str]) -> Body:
    """The first statistic as the plain figure, and all that were asked for by name where there are several."""
    first = next((name for name in statistics if name in figures), None)
    body: Body = {"statistic": first or None, **(figures[first] if first is not None else {})}
    if len(statistics) > 1:
        body["statistics"] = {name or PLAIN: figures[name] for name in statistics if name in figures}
    return body


def number(exact: int | Decimal | None) -> float | None:
    """An exact number as JSON has it: whole ones whole."""
    return float(exact) if isinstance(exact, Decimal) else exact
