"""Answering a request about a KPI: one snapshot of the database, ETags, JSON or CSV."""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from service import __version__
from service.catalog import Catalog, Kpi, Question, Window, catalog_of
from service.catalog.handed import takes_several
from service.clock import Clock
from service.errors import NotFound
from service.expose import series, windowed
from service.expose.answers import Body
from service.expose.asking import Asker, read_question
from service.expose.ground import Ground, Grounds
from service.expose.tables import MEDIA_TYPE, to_csv, wants_csv
from service.http.auth import Principal
from service.settings import Settings
from service.store.engine import Connection
from service.store.snapshots import Snapshot, widened

Table = Callable[[Body], tuple[list[str], list[dict[str, Any]]]]


@dataclass(slots=True)
class Answering:
    """Answers for one process."""

    pool: asyncpg.Pool
    catalog: Catalog
    clock: Clock
    settings: Settings
    grounds: Grounds = field(default_factory=Grounds)

    async def of_window(self, request: Request, principal: Principal, name: str) -> Response:
        """One KPI for one window; raises NotFound and InvalidQuery."""
        async with self.pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            ground = await self.grounds.now(connection, principal.tenant, now_us=self.clock.now_us())
            kpi = self._kpi(name, ground)
            asker = _asker(ground)
            asked = read_question(kpi, request.query_params, asker, self.settings)
            etag = etag_of(request, ground, [asked.window], moves=_moves(kpi, asked.statistics))
            if is_known(request, etag):
                return unchanged(etag)
            async with self._seen(connection, kpi, asked.question) as seen:
                body = await windowed.answer(windowed.Source(connection, seen), asked, ground)
        return _response(request, body, etag, lambda made: windowed.table(made, asked.question.by))

    async def of_series(self, request: Request, principal: Principal, name: str) -> Response:
        """One KPI step by step; raises NotFound and InvalidQuery."""
        async with self.pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            ground = await self.grounds.now(connection, principal.tenant, now_us=self.clock.now_us())
            kpi = self._kpi(name, ground)
            asker = _asker(ground)
            asked = series.read_series(kpi, request.query_params, asker, self.settings)
            etag = etag_of(request, ground, asked.windows, moves=_moves(kpi, asked.asked.statistics))
            if is_known(request, etag):
                return unchanged(etag)
            async with self._seen(connection, kpi, asked.asked.question) as seen:
                body = await series.answer(connection, asked, ground, max_points=self.settings.query_max_rows, seen=seen)
        return _response(request, body, etag, lambda made: series.table(made, asked.asked.question.by))

    async def listed(self, principal: Principal) -> list[Kpi]:
        """Every KPI that the tenant has."""
        async with self.pool.acquire() as connection:
            ground = await self.grounds.now(connection, principal.tenant, now_us=self.clock.now_us())
        return list(catalog_of(self.catalog, ground.configs.at(ground.now_us)).kpis.values())

    @asynccontextmanager
    async def _seen(self, connection: Connection, kpi: Kpi, question: Question) -> AsyncIterator[Snapshot | None]:
        """For a score, and what reads two dear relations: what the connection sees, on as many more as nobody needs."""
        if not takes_several(kpi, question):
            yield None
            return
        async with widened(connection, self.pool) as seen:
            yield seen

    def _kpi(self, name: str, ground: Ground) -> Kpi:
        kpi = catalog_of(self.catalog, ground.configs.at(ground.now_us)).kpis.get(name)
        if kpi is None:
            raise NotFound(f"there is no KPI {name}: GET /v1/kpis lists them")
        return kpi


def _asker(ground: Ground) -> Asker:
    return Asker(
        ground.tenant, ground.zone, ground.now_us, ground.configs.at(ground.now_us), properties=ground.configs.properties
    )


def etag_of(request: Request, ground: Ground, windows: Sequence[Window], *, moves: bool) -> str:
    """Of all that the answer follows from: the question, the bounds, the tenant's version, the code's."""
    last = windows[-1]
    followed = (
        __version__,
        ground.tenant,
        request.url.path,
        sorted(request.query_params.multi_items()),
        wants_csv(request),
        (windows[0].start_us, last.end_us, last.until_us if moves else 0, ground.is_provisional(last)),
        (ground.standing.flush, ground.standing.config_version, ground.kept.minute_from_us, ground.kept.quarter_from_us),
        ground.config(last).valid_from,  # a version that was planned counts without anything being written
    )
    return f'"{hashlib.blake2b(msgspec.json.encode(followed), digest_size=16).hexdigest()}"'


def _moves(kpi: Kpi, statistics: Sequence[str]) -> bool:
    """Whether a figure changes with time alone while its window is open: rates, and means over days so far."""
    return any(kpi.statistics[name].per or kpi.head.whole_days or kpi.head.facts is None for name in statistics)


def is_known(request: Request, etag: str) -> bool:
    """Whether the asker has this answer already."""
    given = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
    return etag in given or "*" in given


def unchanged(etag: str) -> Response:
    """The 304."""
    return Response(status_code=304, headers=headers_of(etag))


def headers_of(etag: str) -> dict[str, str]:
    """What every answer with figures carries."""
    return {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept, Authorization"}


def _response(request: Request, body: Body, etag: str, table: Table) -> Response:
    if wants_csv(request):
        columns, lines = table(body)
        headers = headers_of(etag)
        if body.get("cursor"):
            headers["Tidegauge-Cursor"] = body["cursor"]
        return Response(to_csv(columns, lines), media_type=MEDIA_TYPE, headers=headers)
    return Response(msgspec.json.encode(body), media_type="application/json", headers=headers_of(etag))
