"""Scorecards: declared KPIs with target, limit, actual, status and benchmark; how many are met, and the overall state."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import asyncpg
import msgspec
from fastapi import APIRouter, Depends
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from service.catalog import Catalog, Kpi, Question, Value, Window, catalog_of, resolve_window, window_before
from service.catalog.comparing import changed, part_before
from service.catalog.together import Desk
from service.catalog.windows import same_part
from service.clock import DAY, Clock
from service.domain.config import TenantConfig
from service.domain.scorecard import ScorecardRow, summarise
from service.domain.selector import Selector, parse_selector
from service.domain.targets import Judgement, judge
from service.errors import InvalidQuery, NotFound
from service.expose import documents
from service.expose.answering import etag_of, headers_of, is_known, unchanged
from service.expose.answers import number, unit_of, window_body
from service.expose.asking import Asker, read_instant
from service.expose.ground import Ground, Grounds
from service.expose.programmes import programme_bounds_us
from service.expose.tables import MEDIA_TYPE, to_csv, wants_csv
from service.http.auth import Principal, require
from service.lifecycle import side_by_side
from service.settings import Settings
from service.store.snapshots import snapshot

DEFAULT_WINDOW = "week"
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
    async def names(principal: Reader) -> Response:
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
        window: documents.Window = None,
        start: documents.Start = None,
        end: documents.End = None,
        format: documents.Format = None,  # the parameter's name
    ) -> Response:
        del window, start, end, format  # documented here, read below
        async with snapshot(pool, most=1) as seen:
            async with seen.connection() as connection:
                ground = await grounds.now(connection, principal.tenant, now_us=clock.now_us())
            bounds = _bounds(request.query_params, ground, settings)
            etag = etag_of(request, ground, [window_before(bounds), bounds], moves=True)
            if is_known(request, etag):
                return unchanged(etag)
            desk = Desk(seen.connection, ground.declared(bounds), ground.kept)
            body = await scorecard_body(desk, catalog, ground, name, bounds)
        if wants_csv(request):
            return Response(to_csv(COLUMNS, body["rows"]), media_type=MEDIA_TYPE, headers=headers_of(etag))
        return Response(msgspec.json.encode(body), media_type="application/json", headers=headers_of(etag))

    return made


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


async def scorecard_body(desk: Desk, catalog: Catalog, ground: Ground, name: str, window: Window) -> dict[str, Any]:
    """A scorecard for a window, as it is answered; raises NotFound."""
    config = ground.config(window)
    declared = config.scorecards.get(name)
    if declared is None:
        known = ", ".join(config.scorecards) or "none: declare one as [scorecard.NAME]"
        raise NotFound(f"there is no scorecard {name}; there is {known}")
    kpis = catalog_of(catalog, config).kpis
    named: list[tuple[Kpi, Selector]] = []
    for text in declared.rows:
        selector = parse_selector(text)
        kpi = kpis.get(selector.kpi)
        if kpi is None:
            raise NotFound(f"the scorecard {name} names {selector.kpi}, which is no KPI of this version")
        named.append((kpi, selector))
    read = await side_by_side(_read(desk, config, kpi, selector, window) for kpi, selector in named)
    summary = summarise([status for _, status in read], declared.critical)
    return {
        "name": name,
        "window": window_body(window),
        "before": window_body(same_part(window, window_before(window))),
        "provisional": ground.is_provisional(window),
        "met": summary.met,
        "judged": summary.judged,
        "share_met": summary.share_met,
        "state": summary.state,
        "unjudged_critical": summary.unjudged_critical,
        "rows": [row for row, _ in read],
    }


async def _read(
    desk: Desk, config: TenantConfig, kpi: Kpi, selector: Selector, window: Window
) -> tuple[dict[str, Any], ScorecardRow]:
    """One row, beside what was before."""
    windows = window, part_before(kpi, window)
    return _row(config, kpi, selector, windows, *await _values(desk, kpi, selector, windows))


async def _values(desk: Desk, kpi: Kpi, selector: Selector, windows: Sequence[Window]) -> list[Value]:
    """The figure of a row for each of the windows."""
    statistic = selector.statistic or kpi.head.default_statistic
    question = Question(filters=selector.where, statistics=(statistic,), spread=True)
    keyed = [replace(window, key=number) for number, window in enumerate(windows)]
    values = await desk.ask(kpi, keyed, question)
    plain = [
        [value for value in values if (value.window, value.statistic) == (number, statistic)] for number in range(len(keyed))
    ]
    # Where units are kept apart and there are several, the row of the whole says that they are not added up.
    return [next((value for value in each if not value.dims), each[0]) for each in plain]


def _row(
    config: TenantConfig, kpi: Kpi, selector: Selector, windows: tuple[Window, Window], value: Value, before: Value
) -> tuple[dict[str, Any], ScorecardRow]:
    window, window_of_before = windows
    change = changed(kpi, value.statistic, (value, window), (before, window_of_before))
    judgement = judge(
        config,
        kpi=kpi.id,
        statistic=selector.statistic,
        dims={**selector.where, **value.dims},
        window=window.name or None,
        value=value.value,
        adds_up=kpi.statistics[value.statistic].kind == "count",
        apart=kpi.head.apart,
    )
    statistic = kpi.statistics[value.statistic]
    row = {
        "row": str(selector),
        "title": statistic.title,
        "value": value.value,
        "numerator": number(value.numerator),
        "denominator": number(value.denominator),
        "unit": unit_of(kpi, value),
        "before": before.value,
        "absolute": change.absolute,
        "points": change.points,
        "relative": change.relative,
        "trend": change.trend,
        "verdict": change.verdict,
        "p": change.p,
        "few": change.few,
        **_target(judgement),
        "status": judgement.status,
        "reason": value.reason or judgement.reason or None,
        "note": value.note or None,
    }
    return row, ScorecardRow(str(selector), judgement.status)


def _target(judgement: Judgement) -> dict[str, Any]:
    """What a value is judged by; a range has two ends."""
    is_range = judgement.range is not None
    return {
        "op": judgement.op or None,
        "target": judgement.range if is_range else judgement.target,
        "limit": judgement.range_limit if is_range else judgement.limit,
        "benchmark": judgement.benchmark,
    }
