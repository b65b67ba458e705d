"""The query API of KPIs: the catalog, one KPI for a window, and its series."""

from typing import Annotated, Any

import asyncpg
import msgspec
from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from service.catalog import Catalog
from service.clock import Clock
from service.expose.answering import Answering
from service.expose.answers import described
from service.expose.tables import MEDIA_TYPE, to_csv, wants_csv
from service.http.auth import Principal, require
from service.http.openapi import problem_response
from service.settings import Settings

Reader = Annotated[Principal, Depends(require("read"))]
Text = str | None
_WINDOW = "`5m 1h 24h`, `1d 7d 28d 30d 90d`, `day week month quarter year`; without it the KPI's own, or `start`"
_DOCUMENTED = {
    "window": Query(description=_WINDOW),
    "start": Query(description="Beginning of bounds of your own: RFC 3339, or a date for its local midnight"),
    "end": Query(description="End, not included; now by default"),
    "stat": Query(description="Statistics, parted by commas; without it the KPI's own and all others beside it"),
    "by": Query(description="Dimensions to split by, parted by commas"),
    "compare": Query(
        description="What each figure is compared with: `before` (of an open window the same part of the one before), the same "
        "window a `day week month quarter year` earlier, a baseline as `2025-09-01/2025-10-01`, or a segment as `{account=acme}`"
    ),
    "limit": Query(
        description="Most rows of the answer; by account and something else, without it as many as have so many figures "
        "as an answer may have rows"
    ),
    "cursor": Query(description="Where the page before ended: rows go on in the same order, an account's rows together"),
    "format": Query(description="`json` or `csv`; else the header Accept decides"),
    "step": Query(description="`5m`, `1h`, `1d`, `week`, `month`, `quarter` or `year`"),
}
_FIGURE = {"value": 0.2, "numerator": 2, "denominator": 10, "unit": "ratio", "op": "<=", "target": 0.1, "limit": 0.5}
_JUDGED = {**_FIGURE, "benchmark": None, "status": "yellow", "reason": None, "note": None}
_BOUNDS = {"start": "2025-11-17T00:00:00Z", "end": "2025-11-18T00:00:00Z"}
_NAMED = {"kpi": "error_rate", "title": "Error rate"}
_EXAMPLE = {
    **_NAMED,
    "statistic": None,
    **_JUDGED,
    "window": {"name": "day", **_BOUNDS, "timezone": "UTC"},
    "provisional": False,
    "rows": [{"dims": {"service": "api"}, "statistic": None, **_JUDGED}],
    "cursor": None,
}
_SERIES_EXAMPLE = {
    **_NAMED,
    "step": "1d",
    "window": {**_BOUNDS, "timezone": "UTC"},
    "provisional": False,
    "points": [{**_BOUNDS, "provisional": False, "statistic": None, **_JUDGED}],
}
_FILTERS = (
    "Every dimension of the KPI is a filter too: `?integration=benevity,sap`. Further parameters are listed with the KPI at "
    "`/v1/kpis`; `limit_ms` (or `limit_value`) is the limit of `share_within`."
)


def _responses(example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {
        200: {
            "description": "The figures; as CSV a line a row and statistic",
            "content": {"application/json": {"example": example}, "text/csv": {"schema": {"type": "string"}}},
        },
        304: {"description": "Nothing has changed since the ETag in If-None-Match"},
        400: problem_response("A parameter is wrong: the member `parameter` names it"),
        404: problem_response("There is no such KPI"),
        503: problem_response("The operator's own file of this KPI failed: the members `file` and `detail` say which and how"),
    }


def router(pool: asyncpg.Pool, catalog: Catalog, *, clock: Clock, settings: Settings) -> APIRouter:
    """`/v1/kpis`, `/v1/kpis/{id}` and `/v1/kpis/{id}/series`, of the key's tenant."""
    made = APIRouter(prefix="/v1/kpis", tags=["kpis"])
    answering = Answering(pool, catalog, clock, settings)

    @made.get("", summary="The catalog: every KPI with its definition, unit, statistics and dimensions")
    async def all_kpis(request: Request, principal: Reader) -> Response:
        listed = [described(kpi) for kpi in await answering.listed(principal)]
        if wants_csv(request):
            columns = ("id", "title", "definition", "family", "unit", "better", "dimensions", "windows", "default_window")
            return Response(to_csv(columns, listed), media_type=MEDIA_TYPE)
        return Response(msgspec.json.encode({"kpis": listed}), media_type="application/json")

    @made.get("/{kpi}", summary="One KPI for a window, whole or split", description=_FILTERS, responses=_responses(_EXAMPLE))
    async def one(
        request: Request,
        principal: Reader,
        kpi: str,
        window: Annotated[Text, _DOCUMENTED["window"]] = None,
        start: Annotated[Text, _DOCUMENTED["start"]] = None,
        end: Annotated[Text, _DOCUMENTED["end"]] = None,
        stat: Annotated[Text, _DOCUMENTED["stat"]] = None,
        by: Annotated[Text, _DOCUMENTED["by"]] = None,
        compare: Annotated[Text, _DOCUMENTED["compare"]] = None,
        limit: Annotated[Text, _DOCUMENTED["limit"]] = None,
        cursor: Annotated[Text, _DOCUMENTED["cursor"]] = None,
        format: Annotated[Text, _DOCUMENTED["format"]] = None,  # the parameter's name
    ) -> Response:
        del window, start, end, stat, by, compare, limit, cursor, format  # documented here, read with the filters
        return await answering.of_window(request, principal, kpi)

    @made.get("/{kpi}/series", summary="One KPI step by step", description=_FILTERS, responses=_responses(_SERIES_EXAMPLE))
    async def steps(
        request: Request,
        principal: Reader,
        kpi: str,
        step: Annotated[Text, _DOCUMENTED["step"]] = None,
        window: Annotated[Text, _DOCUMENTED["window"]] = None,
        start: Annotated[Text, _DOCUMENTED["start"]] = None,
        end: Annotated[Text, _DOCUMENTED["end"]] = None,
        stat: Annotated[Text, _DOCUMENTED["stat"]] = None,
        by: Annotated[Text, _DOCUMENTED["by"]] = None,
        format: Annotated[Text, _DOCUMENTED["format"]] = None,  # the parameter's name
    ) -> Response:
        del step, window, start, end, stat, by, format  # documented here, read with the filters
        return await answering.of_series(request, principal, kpi)

    return made
