"""The parameters of a KPI's statement: windows, their pieces and what tenants declare, as arrays."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from service.catalog.comparing import part_before
from service.catalog.cut import cut
from service.catalog.declared import Declared
from service.catalog.kpi import Kpi
from service.catalog.question import MAX_ROWS, Question, account_of
from service.catalog.windows import Window, budget_windows, window_before
from service.clock import to_datetime
from service.domain.localtime import EPOCH, day_of
from service.errors import InvalidQuery

REMEMBERED_INSTANTS = 16_384
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?")


@lru_cache(maxsize=REMEMBERED_INSTANTS)
def _at(instant_us: int) -> datetime:
    return to_datetime(instant_us)


@lru_cache(maxsize=REMEMBERED_INSTANTS)
def _date(day: int) -> date:
    return EPOCH + timedelta(days=day)


@lru_cache(maxsize=REMEMBERED_INSTANTS)
def _day(instant_us: int, zone: str) -> date:
    return _date(day_of(instant_us, zone))


@lru_cache(maxsize=1)
def _nothing_declared() -> Declared:
    """What holds for tenants that declared nothing: made once, not once a tenant."""
    return Declared()


def arguments(
    kpi: Kpi,
    windows: Sequence[Window],
    question: Question,
    by: tuple[str, ...],
    declared: Mapping[int, Declared],
    names: Collection[str],
) -> dict[str, Any]:
    """The parameters that a statement names; windows are known by their place in the sequence."""
    filters = {name: list(values) for name, values in question.filters.items()}
    bound: dict[str, Any] = {
        "by": list(by),
        "filters": msgspec.json.encode(filters).decode(),
        "statistics": list(question.statistics or kpi.statistics),
        "after": question.after,
        "after_account": account_of(question.after) if "after_account" in names else None,
        "slice_from": question.slice.first if question.slice else None,
        "slice_below": question.slice.below if question.slice else None,
        "split_dropped": [""],
        "noted": True,
        "row_limit": MAX_ROWS + 1 if question.rows is None else question.rows,
    }
    features = [*filters.get("feature", ()), *_features(kpi, question)]
    bound |= _declared(sorted({window.tenant for window in windows}), declared, features, names)
    if "win_index" in names:
        bound |= _windows(windows)
    if "win_before_first" in names:
        bound |= _windows_before(windows)
    if "win_earlier_start" in names:
        earlier = [part_before(kpi, window) for window in windows]
        bound["win_earlier_start"] = [_at(each.start_us) for each in earlier]
        bound["win_earlier_end"] = [_at(each.end_us) for each in earlier]
    if "budget_win" in names or "budget_day_win" in names:
        bound |= _budgets(windows)
    if "day_win" in names or "minute_win" in names or "quarter_win" in names:
        bound |= _pieces(windows)
    bound |= {f"by_name_{number}": name for number, name in enumerate(by)}
    for number, name in enumerate(sorted(filters)):
        bound |= {f"filter_name_{number}": name, f"filter_value_{number}": filters[name]}
    bound |= {f"only_{name}": filters.get(name) for name in kpi.head.dimensions if "." not in name}
    for name, parameter in kpi.head.parameters.items():
        given = question.parameters.get(name, parameter.default)
        bound[name] = given if parameter.values or parameter.feature else _number(name, given)
    return bound


def _features(kpi: Kpi, question: Question) -> list[str]:
    """The features that parameters name."""
    own = kpi.head.parameters.items()
    return [question.parameters[name] for name, parameter in own if parameter.feature and question.parameters.get(name)]


def _declared(
    tenants: Sequence[int], declared: Mapping[int, Declared], features: Sequence[str], names: Collection[str]
) -> dict[str, Any]:
    ours = {tenant: declared.get(tenant) or _nothing_declared() for tenant in tenants}
    bound: dict[str, Any] = {}
    if "holiday_day" in names:
        holidays = [(tenant, _date(day)) for tenant, of in ours.items() for day in of.holidays]
        bound |= {"holiday_tenant": [tenant for tenant, _ in holidays], "holiday_day": [day for _, day in holidays]}
    if "config_json" in names:
        bound |= {"config_tenant": list(ours), "config_json": [of.config for of in ours.values()]}
    if "label_name" in names:
        labels = [(tenant, feature, name) for tenant, of in ours.items() for name in features for feature in of.features_of(name)]
        for column, parameter in enumerate(("label_tenant", "label_feature", "label_name")):
            bound[parameter] = [label[column] for label in labels]
    return bound


def _windows(windows: Sequence[Window]) -> dict[str, list[Any]]:
    return {
        "win_tenant": [window.tenant for window in windows],
        "win_index": list(range(len(windows))),
        "win_start": [_at(window.start_us) for window in windows],
        "win_end": [_at(window.end_us) for window in windows],
        "win_until": [_at(window.until_us) for window in windows],
        "win_first_day": [_day(window.start_us, window.zone) for window in windows],
        "win_last_day": [_day(max(window.start_us, window.until_us - 1), window.zone) for window in windows],
        "win_end_day": [_day(window.end_us - 1, window.zone) + timedelta(days=1) for window in windows],
    }


def _windows_before(windows: Sequence[Window]) -> dict[str, list[Any]]:
    before = [window_before(window) for window in windows]
    return {
        "win_before_first": [_day(each.start_us, each.zone) for each in before],
        "win_before_last": [_day(each.end_us - 1, each.zone) for each in before],
    }


def _pieces(windows: Sequence[Window]) -> dict[str, list[Any]]:
    names = ("minute", "quarter", "day")
    bound: dict[str, list[Any]] = {f"{name}_{column}": [] for name in names for column in ("tenant", "win", "lo", "hi")}
    for index, window in enumerate(windows):
        pieces = cut(window.start_us, window.end_us, window.zone)
        for name, spans, of in (("minute", pieces.minutes, _at), ("quarter", pieces.quarters, _at), ("day", pieces.days, _date)):
            for low, high in spans:
                bound[f"{name}_tenant"].append(window.tenant)
                bound[f"{name}_win"].append(index)
                bound[f"{name}_lo"].append(of(low))
                bound[f"{name}_hi"].append(of(high))
    return bound


def _budgets(windows: Sequence[Window]) -> dict[str, list[Any]]:
    """As of each window's end, the windows that error budgets are over, and their pieces; none of a window that is to come."""
    grains = ("minute", "quarter", "day")
    bound: dict[str, list[Any]] = {f"budget_{name}": [] for name in ("tenant", "win", "span", "start", "until", "days")}
    bound |= {f"budget_{grain}_{column}": [] for grain in grains for column in ("tenant", "win", "span", "lo", "hi")}
    for index, window in enumerate(windows):
        for each in budget_windows(window) if window.until_us > window.start_us else ():
            whole_days = day_of(each.whole_end_us - 1, each.zone) + 1 - each.first_day
            row = (window.tenant, index, each.name, _at(each.start_us), _at(each.until_us), whole_days)
            for name, value in zip(("tenant", "win", "span", "start", "until", "days"), row, strict=True):
                bound[f"budget_{name}"].append(value)
            pieces = cut(each.start_us, each.end_us, each.zone)
            for grain, spans, of in zip(grains, (pieces.minutes, pieces.quarters, pieces.days), (_at, _at, _date), strict=True):
                for low, high in spans:
                    place = (window.tenant, index, each.name, of(low), of(high))
                    for column, value in zip(("tenant", "win", "span", "lo", "hi"), place, strict=True):
                        bound[f"budget_{grain}_{column}"].append(value)
    return bound


def _number(name: str, text: str) -> Decimal | None:
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise InvalidQuery(name, f"{text!r} is no number of at most 18 digits and 9 decimals, such as 500 or 0.25")
    return Decimal(text)
