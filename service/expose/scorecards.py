"""`/v1/scorecards`: those that are declared, and one of them for a window, of the whole tenant or of one account."""

from typing import Annotated, Final

import asyncpg
import msgspec
from fastapi import APIRouter, Depends
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from service.catalog import Catalog, Window, catalog_of, resolve_window, window_before
from service.catalog.together import Desk
from service.clock import DAY, Clock
from service.errors import InvalidQuery
from service.expose import documents
from service.expose.answering import etag_of, headers_of, is_known, unchanged
from service.expose.answers import Body
from service.expose.asking import Asker, read_instant
from service.expose.decisions import decision_body
from service.expose.ground import Ground, Grounds
from service.expose.named import check_account
from service.expose.parameters import check_known
from service.expose.programmes import programme_bounds_us
from service.expose.scorecard_rows import scorecard_body
from service.expose.tables import MEDIA_TYPE, to_csv, wants_csv
from service.http.auth import Principal, require
from service.settings import Settings
from service.store.snapshots import snapshot

DEFAULT_WINDOW = "week"
PARAMETERS: Final = ("account", "window", "start", "end", "format")
"""Of a parameter's name that is refused."""
COLUMNS = (
    "row",
    "title",
    "value",
    "numerator",
    "denominator",
    "unit",
    "before",
    "absolute",
    "relative",
    "trend",
    "verdict",
    "op",
    "target",
    "limit",
    "benchmark",
    "status",
    "reason",
    "note",
)

Reader = Annotated[Principal, Depends(require("read"))]


def router(pool: asyncpg.Pool, catalog: Catalog, *, clock: Clock, settings: Settings) -> APIRouter:
    """`/v1/scorecards` and `/v1/scorecards/{name}`, of the key's tenant."""
    made = APIRouter(prefix="/v1/scorecards", tags=["scorecards"])
    grounds = Grounds()

    @made.get("", summary="The scorecards that are declared", responses=documents.SCORECARDS)
    async def names(request: Request, principal: Reader) -> Response:
        check_known(request.query_params, (), "a scorecard")
        now_us = clock.now_us()
        async with pool.acquire() as connection:
            ground = await grounds.now(connection, principal.tenant, now_us=now_us)
        declared = ground.configs.at(now_us).scorecards
        found = [{"name": name, "rows": len(each.rows)} for name, each in declared.items()]
        return Response(msgspec.json.encode({"scorecards": found}), media_type="application/json")

    @made.get("/{name}", summary="One scorecard for a window, the calendar week by default", responses=documents.SCORECARD)
    async def one(
        request: Request,
        principal: Reader,
        name: str,
        account: documents.Text = None,
        window: documents.Window = None,
        start: documents.Start = None,
        end: documents.End = None,
        format: documents.Format = None,  # the parameter's name
    ) -> Response:
        del window, start, end, format  # documented here, read below
        check_known(request.query_params, PARAMETERS, "a scorecard")
        async with snapshot(pool, most=1) as seen:
            async with seen.connection() as connection:
                ground = await grounds.now(connection, principal.tenant, now_us=clock.now_us())
                if account is not None:
                    await check_account(connection, principal.tenant, account)
            bounds = _bounds(request.query_params, ground, settings)
            etag = etag_of(request, ground, [window_before(bounds), bounds], moves=True)
            if is_known(request, etag):
                return unchanged(etag)
            desk = Desk(seen.connection, ground.declared(bounds), ground.kept)
            body = await _body(desk, catalog, ground, name, bounds, account or "")
        if wants_csv(request):
            return Response(to_csv(COLUMNS, body["rows"]), media_type=MEDIA_TYPE, headers=headers_of(etag))
        return Response(msgspec.json.encode(body), media_type="application/json", headers=headers_of(etag))

    return made


async def _body(desk: Desk, catalog: Catalog, ground: Ground, name: str, window: Window, account: str) -> Body:
    """The rows, and what health decides."""
    body = await scorecard_body(desk, catalog, ground, name, window, account=account)
    rows = body.pop("rows")
    decided = await decision_body(desk, catalog_of(catalog, ground.config(window)).kpis, window, account)
    return {**body, **decided, "rows": rows}


def _bounds(parameters: QueryParams, ground: Ground, settings: Settings) -> Window:
    """The window asked for; raises InvalidQuery."""
    asker = Asker(ground.tenant, ground.zone, ground.now_us)
    name = parameters.get("window") or (None if "start" in parameters else DEFAULT_WINDOW)
    start_us, end_us = read_instant("start", parameters.get("start"), asker), read_instant("end", parameters.get("end"), asker)
    at_us = ground.now_us if end_us is None else end_us
    bounds = programme_bounds_us(name, ground.configs.at(ground.now_us), ground.zone, at_us)
    if bounds is not None and start_us is None:
        name, (start_us, end_us) = None, bounds
    window = resolve_window(ground.tenant, ground.zone, now_us=ground.now_us, name=name, start_us=start_us, end_us=end_us)
    days = (window.end_us - window.start_us) // DAY
    if days > settings.query_max_days:
        raise InvalidQuery("start", f"{days} days are more than {settings.query_max_days}: ask for a shorter window")
    return window
