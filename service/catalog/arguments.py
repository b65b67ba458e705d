"""The parameters of a KPI's statement: windows, their pieces and what tenants declare, as arrays."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import msgspec

from service.catalog.cut import cut
from service.catalog.kpi import Kpi
from service.catalog.question import Question
from service.catalog.windows import Window
from service.domain.localtime import day_of
from service.errors import InvalidQuery

_day = lru_cache(maxsize=16_384)(day_of)


@dataclass(frozen=True, slots=True)
class Declared:
    """What the catalog needs of a tenant's configuration."""

    holidays: tuple[int, ...] = ()
    """Days since 1970."""
    integrations: Mapping[str, str] = field(default_factory=dict)
    """Name → direction."""
    feature_groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name → the features that it stands for."""
    config: str = "{}"
    """The whole of it as JSON, for the relation `declared`."""

    def integration_rows(self, by: Sequence[str], filters: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
        """The dimensions of each declared integration, where they say all that is split by."""
        if (
            "integration" not in by
            or not set(by) <= {"integration", "direction"}
            or not set(filters) <= {"integration", "direction"}
        ):
            return
        for name, direction in self.integrations.items():
            known = {"integration": name, "direction": direction}
            if all(known[dimension] in values for dimension, values in filters.items()):
                yield {dimension: known[dimension] for dimension in by}


def arguments(
    kpi: Kpi,
    windows: Sequence[Window],
    question: Question,
    by: tuple[str, ...],
    declared: Mapping[int, Declared],
    names: Collection[str],
) -> dict[str, Any]:
    """The parameters that a statement names; windows are known by their place in the sequence."""
    tenants = sorted({window.tenant for window in windows})
    ours = {tenant: declared[tenant] for tenant in tenants if tenant in declared}
    holidays = [(tenant, day) for tenant, of in ours.items() for day in of.holidays]
    filters = _filters(question.filters, ours)
    bound: dict[str, Any] = {
        "by": list(by),
        "filters": msgspec.json.encode(filters).decode(),
        "after": question.after,
        "row_limit": question.rows,
        "holiday_tenant": [tenant for tenant, _ in holidays],
        "holiday_day": [day for _, day in holidays],
        "config_tenant": list(ours),
        "config_json": [of.config for of in ours.values()],
    }
    if "win_index" in names:
        bound |= _windows(windows)
    if "day_win" in names or "minute_win" in names or "quarter_win" in names:
        bound |= _pieces(windows)
    bound |= {f"by_name_{number}": name for number, name in enumerate(by)}
    for number, name in enumerate(sorted(filters)):
        bound |= {f"filter_name_{number}": name, f"filter_value_{number}": filters[name]}
    bound |= {f"only_{name}": filters.get(name) for name in kpi.head.dimensions if "." not in name}
    for name, parameter in kpi.head.parameters.items():
        given = question.parameters.get(name, parameter.default)
        bound[name] = given if parameter.values else _number(name, given)
    return bound


def _filters(filters: Mapping[str, Sequence[str]], declared: Mapping[int, Declared]) -> dict[str, list[str]]:
    """The filters with each group of features replaced by its features."""
    expanded = {name: list(values) for name, values in filters.items()}
    if "feature" in expanded:
        groups = {name: features for of in declared.values() for name, features in of.feature_groups.items()}
        expanded["feature"] = sorted({feature for name in expanded["feature"] for feature in groups.get(name, (name,))})
    return expanded


def _windows(windows: Sequence[Window]) -> dict[str, list[int]]:
    return {
        "win_tenant": [window.tenant for window in windows],
        "win_index": list(range(len(windows))),
        "win_start": [window.start_us for window in windows],
        "win_end": [window.end_us for window in windows],
        "win_until": [window.until_us for window in windows],
        "win_first_day": [_day(window.start_us, window.zone) for window in windows],
        "win_last_day": [_day(max(window.start_us, window.until_us - 1), window.zone) for window in windows],
        "win_end_day": [_day(window.end_us - 1, window.zone) + 1 for window in windows],
    }


def _pieces(windows: Sequence[Window]) -> dict[str, list[int]]:
    names = ("minute", "quarter", "day")
    bound: dict[str, list[int]] = {f"{name}_{column}": [] for name in names for column in ("tenant", "win", "lo", "hi")}
    for index, window in enumerate(windows):
        pieces = cut(window.start_us, window.end_us, window.zone)
        for name, spans in zip(names, (pieces.minutes, pieces.quarters, pieces.days), strict=True):
            for low, high in spans:
                bound[f"{name}_tenant"].append(window.tenant)
                bound[f"{name}_win"].append(index)
                bound[f"{name}_lo"].append(low)
                bound[f"{name}_hi"].append(high)
    return bound


def _number(name: str, text: str) -> Decimal | None:
    if not text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise InvalidQuery(name, f"{text!r} is no number") from error
    if not number.is_finite():
        raise InvalidQuery(name, f"{text!r} is no finite number")
    return number
