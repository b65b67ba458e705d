"""Scorecards: declared KPIs with target, limit, actual, status and benchmark; how many are met, and the overall state."""

from collections.abc import Mapping
from typing import Annotated, Any

import asyncpg
import msgspec
from fastapi import APIRouter, Depends
from starlette.responses import Response

from service.catalog import Catalog, Declared, Kept, Kpi, Question, Value, Window, declared_of, resolve_window, run, window_before
from service.clock import Clock
from service.domain.config import TenantConfig
from service.domain.config.versions import TenantConfigs
from service.domain.scorecard import ScorecardRow, summarise
from service.domain.selector import Selector, parse_selector
from service.domain.targets import Judgement, judge
from service.errors import NotFound
from service.expose.moments import instant_us, rfc3339
from service.http.auth import Principal, require
from service.store.config import load_configs
from service.store.engine import Connection
from service.store.partitions import kept_from

DEFAULT_WINDOW = "week"

Reader = Annotated[Principal, Depends(require("read"))]


def router(pool: asyncpg.Pool, catalog: Catalog, *, clock: Clock) -> APIRouter:
    """`/v1/scorecards` and `/v1/scorecards/{name}`, of the key's tenant."""
    made = APIRouter(prefix="/v1/scorecards", tags=["scorecards"])

    @made.get("", summary="The scorecards that are declared")
    async def names(principal: Reader) -> Response:
        async with pool.acquire() as connection:
            config = (await load_configs(connection, [principal.tenant]))[principal.tenant].newest
        found = [{"name": name, "rows": len(each.rows)} for name, each in config.scorecards.items()]
        return Response(msgspec.json.encode({"scorecards": found}), media_type="application/json")

    @made.get("/{name}", summary="One scorecard for a window, the calendar week by default")
    async def one(
        principal: Reader, name: str, window: str | None = None, start: str | None = None, end: str | None = None
    ) -> Response:
        async with pool.acquire() as connection:
            configs = (await load_configs(connection, [principal.tenant]))[principal.tenant]
            bounds = resolve_window(
                principal.tenant,
                configs.timezone,
                now_us=clock.now_us(),
                name=window or (None if start else DEFAULT_WINDOW),
                start_us=instant_us("start", start),
                end_us=instant_us("end", end),
            )
            body = await _scorecard(connection, catalog, configs, name, bounds)
        return Response(msgspec.json.encode(body), media_type="application/json")

    return made


async def _scorecard(
    connection: Connection, catalog: Catalog, configs: TenantConfigs, name: str, window: Window
) -> dict[str, Any]:
    config = configs.at(window.end_us - 1)
    declared = config.scorecards.get(name)
    if declared is None:
        known = ", ".join(config.scorecards) or "none: declare one as [scorecard.NAME]"
        raise NotFound(f"there is no scorecard {name}; there is {known}")
    kept_now = await kept_from(connection)
    kept = Kept(kept_now.minute_from_us, kept_now.quarter_from_us)
    declarations = {window.tenant: declared_of(config)}
    rows, judged = [], []
    for text in declared.rows:
        selector = parse_selector(text)
        kpi = catalog.kpis.get(selector.kpi)
        if kpi is None:
            raise NotFound(f"the scorecard {name} names {selector.kpi}, which is no KPI of this version")
        values = [await _value(connection, kpi, selector, each, declarations, kept) for each in (window, window_before(window))]
        row, status = _row(config, kpi, selector, window, *values)
        rows.append(row)
        judged.append(status)
    summary = summarise(judged, declared.critical)
    return {
        "name": name,
        "window": {"name": window.name or None, "start": rfc3339(window.start_us), "end": rfc3339(window.end_us)},
        "provisional": window.until_us < window.end_us,
        "met": summary.met,
        "judged": summary.judged,
        "share_met": summary.share_met,
        "state": summary.state,
        "unjudged_critical": summary.unjudged_critical,
        "rows": rows,
    }


async def _value(
    connection: Connection, kpi: Kpi, selector: Selector, window: Window, known: Mapping[int, Declared], kept: Kept
) -> Value:
    statistic = selector.statistic or kpi.head.default_statistic
    question = Question(filters=selector.where, statistics=(statistic,))
    values = await run(connection, kpi, [window], question, declared=known, kept=kept)
    plain = [value for value in values if value.statistic == statistic]
    # Where units are kept apart and there are several, the row of the whole says that they are not added up.
    return next((value for value in plain if not value.dims), plain[0])


def _row(
    config: TenantConfig, kpi: Kpi, selector: Selector, window: Window, value: Value, before: Value
) -> tuple[dict[str, Any], ScorecardRow]:
    judgement = judge(
        config,
        kpi=kpi.id,
        statistic=selector.statistic,
        dims=selector.where,
        window=window.name or None,
        value=value.value,
        adds_up=kpi.statistics[value.statistic].kind == "count",
    )
    statistic = kpi.statistics[value.statistic]
    row = {
        "row": str(selector),
        "title": statistic.title,
        "value": value.value,
        "numerator": value.numerator,
        "denominator": value.denominator,
        "unit": statistic.unit,
        "before": before.value,
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
