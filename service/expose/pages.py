"""Pages of lists: rows as JSON with the cursor that leads on, or as CSV; and values of a parameter, checked."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from service.errors import InvalidQuery
from service.expose.tables import MEDIA_TYPE, to_csv, wants_csv

PAGE_ROWS = 100
"""Rows of a page where none are asked for."""
Big = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number of a cursor, as Postgres takes it."""


def check_value(parameter: str, value: str | None, known: Sequence[str]) -> None:
    """Raise InvalidQuery for a value that there is not."""
    if value is not None and value not in known:
        raise InvalidQuery(parameter, f"{value!r} is none of {', '.join(known)}")


def read_values(parameter: str, text: str | None, known: Sequence[str] = ()) -> list[str] | None:
    """The values of a list parted by commas, None for all; raises InvalidQuery for one that is not among the known."""
    values = text.split(",") if text else None
    for value in values or () if known else ():
        check_value(parameter, value, known)
    return values


def answer_json(body: object) -> Response:
    """A body as JSON."""
    return Response(msgspec.json.encode(body), media_type="application/json")


def answer_page(
    request: Request, name: str, columns: Sequence[str], rows: list[dict[str, Any]], last: str | None, **more: Any
) -> Response:
    """Rows as JSON with `next`, or as CSV with the header Tidegauge-Cursor."""
    if wants_csv(request):
        headers = {"Tidegauge-Cursor": last} if last is not None else None
        return Response(to_csv(columns, rows), media_type=MEDIA_TYPE, headers=headers)
    return answer_json({name: rows, "next": last, **more})
