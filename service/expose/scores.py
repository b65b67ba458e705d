"""`/v1/accounts/{account}/health` and `/churn-risk`, and `/v1/portfolio`: scores with their reasons, as of any time."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Final

import asyncpg
import msgspec
from fastapi import APIRouter, Depends, Query
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from service.catalog import Catalog, Kpi, Window, catalog_of
from service.catalog.comparing import part_before
from service.catalog.runner import scene
from service.catalog.score_churn import churn_risks
from service.catalog.score_health import healths
from service.catalog.scores import Scene
from service.catalog.scoring import CHURN_RISK, HEALTH
from service.catalog.windows import window_earlier
from service.clock import Clock
from service.errors import NotFound
from service.expose import documents
from service.expose.answers import Body, window_body
from service.expose.asking import Asker, read_window
from service.expose.ground import Ground, Grounds
from service.expose.moments import rfc3339
from service.expose.portfolio import BEFORE, NOW, read_portfolio
from service.expose.score_bodies import health_body, risk_body
from service.http.auth import Principal, require
from service.http.openapi import problem_response
from service.settings import Settings
from service.store.snapshots import Snapshot, snapshot

Reader = Annotated[Principal, Depends(require("read"))]
MAX_CUSTOMERS: Final = 1_000
_RESPONSES: documents.Responses = {404: problem_response("There is no such customer as of that time")}
_Limit = Annotated[int, Query(ge=1, le=MAX_CUSTOMERS, description="Most customers listed, those at the highest risk first")]


@dataclass(slots=True)
class Scores:
    """Answers for one process."""

    pool: asyncpg.Pool
    catalog: Catalog
    clock: Clock
    settings: Settings
    grounds: Grounds = field(default_factory=Grounds)

    async def health(self, request: Request, principal: Principal, account: str) -> Body:
        """One customer's health; raises NotFound and InvalidQuery."""
        async with snapshot(self.pool, most=1) as seen:
            ground = await self._ground(seen, principal)
            kpi, window = self._asked(HEALTH, request.query_params, ground)
            of = self._scene(seen, ground, _pair(window, part_before(kpi, window)), (account,))
            found = await healths(of, split=True)
        now, before = (found[ground.tenant, key].get(account) for key in (NOW, BEFORE))
        if now is None:
            raise _no_customer(account, window)
        bounds = {"window": window_body(window), "provisional": ground.is_provisional(window)}
        return {"account": account, **bounds, **health_body(now, before)}

    async def churn(self, request: Request, principal: Principal, account: str) -> Body:
        """One customer's churn risk, beside that of a week earlier; raises NotFound and InvalidQuery."""
        async with snapshot(self.pool, most=1) as seen:
            ground = await self._ground(seen, principal)
            _, window = self._asked(CHURN_RISK, request.query_params, ground)
            risks = await churn_risks(self._scene(seen, ground, _weeks(window), (account,)))
        now, before = (risks[ground.tenant, key].get(account) for key in (NOW, BEFORE))
        if now is None:
            raise _no_customer(account, window)
        return {"account": account, "at": rfc3339(window.until_us), **risk_body(now, before)}

    async def portfolio(self, request: Request, principal: Principal, limit: int) -> Body:
        """All customers by their risk; raises InvalidQuery."""
        async with snapshot(self.pool) as seen:
            ground = await self._ground(seen, principal)
            _, window = self._asked(CHURN_RISK, request.query_params, ground)
            kpis = catalog_of(self.catalog, ground.config(window)).kpis
            return (await read_portfolio(seen, kpis, ground, window)).body(limit=limit)

    async def _ground(self, seen: Snapshot, principal: Principal) -> Ground:
        async with seen.connection() as connection:
            return await self.grounds.now(connection, principal.tenant, now_us=self.clock.now_us())

    def _asked(self, name: str, parameters: QueryParams, ground: Ground) -> tuple[Kpi, Window]:
        kpi = self.catalog.kpis[name]
        asker = Asker(ground.tenant, ground.zone, ground.now_us, ground.configs.at(ground.now_us))
        return kpi, read_window(kpi, parameters, asker, self.settings)

    def _scene(self, seen: Snapshot, ground: Ground, windows: Sequence[Window], accounts: tuple[str, ...] | None) -> Scene:
        kpis = catalog_of(self.catalog, ground.config(windows[NOW])).kpis
        return scene(seen, kpis, windows, accounts, ground.declared(windows[NOW]), ground.kept)


def router(pool: asyncpg.Pool, catalog: Catalog, *, clock: Clock, settings: Settings) -> APIRouter:
    """The three paths, of the key's tenant."""
    made = APIRouter(prefix="/v1", tags=["scores"])
    scores = Scores(pool, catalog, clock, settings)

    @made.get("/accounts/{account:path}/health", summary="One customer's health, and why it lost points", responses=_RESPONSES)
    async def health(
        request: Request, principal: Reader, account: str, window: documents.Window = None, end: documents.End = None
    ) -> Response:
        del window, end  # documented here, read with the others
        return _json(await scores.health(request, principal, account))

    @made.get("/accounts/{account:path}/churn-risk", summary="One customer's churn risk, and every factor", responses=_RESPONSES)
    async def churn(request: Request, principal: Reader, account: str, end: documents.End = None) -> Response:
        del end  # documented here, read with the others
        return _json(await scores.churn(request, principal, account))

    @made.get(
        "/portfolio", summary="All customers by churn risk: bands, reasons, moves since a week ago, retention, what is at stake"
    )
    async def portfolio(request: Request, principal: Reader, end: documents.End = None, limit: _Limit = 100) -> Response:
        del end  # documented here, read with the others
        return _json(await scores.portfolio(request, principal, limit))

    return made


def _weeks(window: Window) -> list[Window]:
    """The window, and the same a week earlier."""
    return _pair(window, window_earlier(window, "week", whole_days=True))


def _pair(window: Window, before: Window) -> list[Window]:
    """Both windows under their keys."""
    return [replace(window, key=NOW), replace(before, key=BEFORE)]


def _no_customer(account: str, window: Window) -> NotFound:
    return NotFound(
        f"{account} is no customer as of {rfc3339(window.until_us)}: GET /v1/accounts lists accounts with their status"
    )


def _json(body: Body) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json", headers={"Cache-Control": "private, no-cache"})
