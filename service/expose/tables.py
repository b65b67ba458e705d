"""Tables for spreadsheets: answers as CSV, when a request asks for it."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from starlette.requests import Request

from service.errors import InvalidQuery

MEDIA_TYPE = "text/csv; charset=utf-8"
FIGURE_COLUMNS = ("value", "numerator", "denominator", "unit", "op", "target", "limit", "status", "reason", "note")
_TAKEN = frozenset({*FIGURE_COLUMNS, "statistic", "start", "end"})
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def wants_csv(request: Request) -> bool:
    """Whether the answer should be CSV: by `format=csv`, else by the header Accept; raises InvalidQuery."""
    named = request.query_params.get("format")
    if named is None:
        accepted = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
        return "text/csv" in accepted and "application/json" not in accepted
    if named not in {"csv", "json"}:
        raise InvalidQuery("format", f"{named!r} is neither json nor csv")
    return named == "csv"


def column_of(dimension: str) -> str:
    """The column of a dimension: its name, after `by.` where a figure has a column of that name (`by.status`)."""
    return f"by.{dimension}" if dimension in _TAKEN else dimension


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A header line and a line a row; what is missing is empty, a pair has a space between.

    A text that a spreadsheet would take for a formula gets a quote before it.
    """
    sink = io.StringIO(newline="")
    writer = csv.writer(sink)
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return sink.getvalue().encode()


def _cell(value: object) -> object:
    match value:
        case None:
            return ""
        case str() if value.startswith(_FORMULA):
            return f"'{value}"
        case list() | tuple():
            return " ".join(str(each) for each in value)
        case _:
            return value
