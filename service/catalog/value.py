"""What a KPI comes out as: one figure of one tenant, window, split and statistic."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, Final

import asyncpg
import msgspec

Exact = int | Decimal
Row = asyncpg.Record | Mapping[str, Any]
"""A row of a statement, or one that was added up of some."""
REMEMBERED_SPLITS: Final = 1_024
NO_DATA = "no_data"
"""Nothing happened that a ratio, mean or percentile could be made of."""
EXPIRED = "expired"
"""The window lies in a grain that is no longer kept."""
MIXED = "mixed_units"
"""Several units or currencies: they are not added up; the rows show each."""


class Value(msgspec.Struct, frozen=True, gc=False):
    """A figure, in the statistic's unit; `value` is None where there is none, and `reason` says why.

    A struct, for answers have tens of thousands: a frozen dataclass of as many fields takes eight times as long to make.
    """

    tenant: int
    window: Hashable
    """The key of the Window."""
    statistic: str
    """"" is the KPI's plain value."""
    value: float | None
    numerator: Exact | None = None
    denominator: Exact | None = None
    dims: Mapping[str, str] = {}
    """The dimensions asked for (and those that are kept apart)."""
    reason: str = ""
    note: str = ""
    row: str = ""
    """The statement's own text of `dims`: what `Question.after` goes on behind, in ascending order."""
    variance: float | None = None
    """Of the values that a mean is of, in the square of its unit; only where `Question.spread` asks for it."""


class Figure(msgspec.Struct, frozen=True, gc=False):
    """A value with what it was made of, before it is known whose it is; as many are made as of `Value`."""

    value: float | None
    numerator: Exact | None = None
    denominator: Exact | None = None
    variance: float | None = None


def histograms(row: Row) -> Sequence[bytes]:
    """The packed histograms of a row of a distribution: one, or those of the rows that it was added up of."""
    packed = row["histogram"]
    return packed if isinstance(packed, list) else [packed] if isinstance(packed, bytes) else ()


def exact(number: Exact | None) -> Exact | None:
    """A Postgres numeric as an int where it is whole."""
    if isinstance(number, Decimal) and number == number.to_integral_value():
        return int(number)
    return number


def quotient(numerator: Exact, denominator: Exact) -> float:
    """The nearest float of an exact division."""
    if isinstance(numerator, int) and isinstance(denominator, int):
        return numerator / denominator
    return float(Fraction(numerator) / Fraction(denominator))


def counted(number: Exact) -> float:
    """A count as it is shown: an int, unless quantities with fractions were counted."""
    return number if isinstance(number, int) else float(number)


def decimal(fraction: Fraction) -> Exact:
    """A fraction as an exact number, to 28 digits where it does not end."""
    return decimal_of(fraction.numerator, fraction.denominator)


def decimal_of(over: int, under: int) -> Exact:
    """The same of a ratio, whether it is reduced or not."""
    whole, rest = divmod(over, under)
    return Decimal(over) / Decimal(under) if rest else whole


def row_text(dims: Mapping[str, str]) -> str:
    """The text of a row's dimensions as Postgres writes jsonb: by it rows are ordered and pages go on."""
    return "{" + ", ".join([begun + encode_basestring(dims[name]) for name, begun in _in_order(tuple(dims))]) + "}"


@lru_cache(maxsize=REMEMBERED_SPLITS)
def _in_order(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Names in the order of jsonb, each with its text up to the value: the same for all rows of an answer."""
    return [(name, f"{encode_basestring(name)}: ") for name in sorted(names, key=lambda name: (len(name.encode()), name))]


def grouped(values: Iterable[Value]) -> dict[str, list[Value]]:
    """Values by their row, in the order in which the rows came; those of a row come one after the other as a rule."""
    rows: dict[str, list[Value]] = {}
    last: str | None = None
    of_row: list[Value] = []
    for value in values:
        row = value.row or row_text(value.dims)
        if row != last:
            last, of_row = row, rows.setdefault(row, [])
        of_row.append(value)
    return rows


def one_where_apart(answers: Sequence[Value], by: tuple[str, ...]) -> list[Value]:
    """Where a split has several units, its plain row says so and the rows show each."""
    # Values of a row have its dimensions in common: where as many places are told apart as there are rows, none has several.
    rows = {(value.tenant, value.window, id(value.dims)): value.dims for value in answers}
    if len({(tenant, window, *map(dims.get, by)) for (tenant, window, _), dims in rows.items()}) == len(rows):
        return list(answers)
    groups: dict[tuple[object, ...], list[Value]] = {}
    for value in answers:
        shown = (value.dims.get(name) for name in by)
        groups.setdefault((value.tenant, value.window, value.statistic, *shown), []).append(value)
    joined = []
    for values in groups.values():
        if len(values) > 1:
            first = values[0]
            plain_dims = {name: first.dims[name] for name in by}
            joined.append(Value(first.tenant, first.window, first.statistic, None, dims=plain_dims, reason=MIXED))
        joined += values
    return joined
