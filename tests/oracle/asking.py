"""Asking the catalog for what the oracle knows, and saying where the two differ."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg

from service.catalog import Catalog, Question, Value, Window, resolve_window, run
from service.clock import DAY, HOUR, MINUTE, QUARTER
from tests.oracle import counted
from tests.oracle.counted import WITHIN
from tests.oracle.running import Running
from tests.oracle.scene import Scene
from tests.oracle.wanted import Dims, Filters, Wanted, agrees
from tests.oracle.world import World

Figures = Callable[[World, Window, Sequence[str], Filters], Wanted]
Asked = tuple[tuple[str, ...], dict[str, tuple[str, ...]]]

OF_REQUESTS: tuple[Asked, ...] = (
    ((), {}),
    (("service",), {}),
    (("account",), {}),
    (("status",), {}),
    (("service", "error_kind"), {}),
    ((), {"account": ("acme",)}),
    (("region", "method"), {"account": ("acme", "beta")}),
    ((), {"service": ("api",), "status": ("404", "timeout")}),
    (("account",), {"route": ("/",)}),
)
OF_DELIVERIES: tuple[Asked, ...] = (
    ((), {}),
    (("integration",), {}),
    (("integration", "direction"), {"direction": ("inbound",)}),
    (("account",), {}),
    (("account", "integration"), {"account": ("acme", "core")}),
    ((), {"integration": ("sap",)}),
)
OF_USES: tuple[Asked, ...] = (
    ((), {}),
    (("feature",), {}),
    (("account", "feature"), {}),
    (("feature",), {"feature": ("export", "csv_export", "search")}),
    ((), {"feature": ("export",), "account": ("acme", "beta")}),
    (("ok",), {"account": ("beta",)}),
    (("property.plan",), {}),
)
OF_METERS: tuple[Asked, ...] = (
    ((), {"meter": ("lcp",)}),
    (("meter",), {}),
    (("meter", "account"), {}),
    (("attribute.page",), {"meter": ("lcp",)}),
    ((), {"meter": ("cost",), "account": ("acme",)}),
    ((), {"meter": ("cost",), "currency": ("EUR",)}),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A KPI, how the oracle knows it, and what of it is asked."""

    kpi: str
    figures: Figures
    questions: tuple[Asked, ...]
    apart: tuple[str, ...] = ()


SHARES = (*counted.SHARES, "deliveries", "delivery_recovered", "delivery_latency")
COUNTED = (
    Subject("requests", counted.kpi_requests, OF_REQUESTS),
    Subject("api_success", counted.kpi_api_success, (*OF_REQUESTS[:3], *OF_REQUESTS[5:7])),
    Subject("error_rate", counted.kpi_error_rate, OF_REQUESTS),
    Subject("request_latency", counted.kpi_request_latency, OF_REQUESTS),
    *(Subject(kpi, partial(counted.delivery, kpi), OF_DELIVERIES) for kpi in SHARES),
    Subject("feature_uses", counted.kpi_feature_uses, OF_USES),
    Subject("meter", counted.kpi_meter, OF_METERS, ("unit", "currency")),
)


def counted_windows(scene: Scene, tenant: int) -> list[Window]:
    """Windows of every kind around the change, cut into minutes, quarters and days."""
    noon, change = scene.midnight() + 12 * HOUR, scene.midnight()
    spans: list[dict[str, Any]] = [
        {"name": "1h", "end_us": change + 3 * HOUR},
        {"name": "5m", "end_us": change + 1},
        {"name": "24h", "end_us": noon + 12 * MINUTE + 1},
        *({"name": name, "end_us": noon} for name in ("day", "1d", "7d", "week", "month")),
        {"name": "28d", "end_us": scene.now_us},
        {"start_us": change - 7 * DAY + QUARTER, "end_us": change + 5 * QUARTER},
        {"start_us": change + 30 * MINUTE + 1, "end_us": change + 25 * HOUR + 7},
        {"start_us": scene.midnight(-40), "end_us": scene.midnight(4)},
    ]
    return [resolve_window(tenant, scene.zone, now_us=scene.now_us, key=key, **span) for key, span in enumerate(spans)]


async def differences(
    running: Running,
    catalog: Catalog,
    world: World,
    windows: Sequence[Window],
    subject: Subject,
    asked: Asked,
) -> list[str]:
    """Every figure of a question that is not what the oracle says, a sentence each."""
    by, filters = asked
    question = Question(by=by, filters=filters, within=WITHIN, parameters={})
    async with running.site.pool.acquire() as connection:
        found = await _found(connection, running, catalog, windows, subject, question)
    said: list[str] = []
    for window in windows:
        wanted, here = subject.figures(world, window, by, filters), found[window.key]
        for key in wanted.keys() | here.keys():
            if key not in here or key not in wanted or not agrees(wanted[key], here[key]):
                bounds = f"{window.name or 'own'} {window.start_us}..{window.end_us}"
                said.append(f"{subject.kpi} {asked} {bounds} {key}: wanted {wanted.get(key, '-')}, found {here.get(key, '-')}")
    return said


async def _found(
    connection: asyncpg.pool.PoolConnectionProxy,
    running: Running,
    catalog: Catalog,
    windows: Sequence[Window],
    subject: Subject,
    question: Question,
) -> dict[Any, dict[tuple[Dims, str], Value]]:
    tenant = windows[0].tenant
    values = await run(
        connection, catalog.kpis[subject.kpi], windows, question, declared=running.declared(tenant), kept=running.kept
    )
    found: dict[Any, dict[tuple[Dims, str], Value]] = {window.key: {} for window in windows}
    names = (*question.by, *subject.apart)
    for value in values:
        if value.reason != "mixed_units":
            found[value.window][tuple(value.dims.get(name, "") for name in names), value.statistic] = value
    return found


def some(pick: random.Random, asked: Sequence[Asked], most: int) -> list[Asked]:
    """A few of the questions."""
    return pick.sample(asked, k=min(most, len(asked)))
