"""The stage of a year: the whole catalog, every KPI with a split, and the weekly report, of one tenant with a million users."""

import time
from collections.abc import Awaitable, Callable

import asyncpg

from loadtests.results import Read
from loadtests.site import Database, Site
from loadtests.year_data import USERS, make_year
from service.catalog import Catalog, Kept, Kpi, Question, Window, declared_of, resolve_window
from service.catalog import run as run_kpi
from service.clock import SystemClock
from service.domain.config import TenantConfig
from service.errors import InvalidQuery
from service.reports.making import Maker, Wish
from service.reports.rendering import render
from service.store.engine import create_pool

ZONE = "Europe/Berlin"
CATALOG_MS = 5_000.0
SPLIT_MS = 200.0
REPORT_MS = 3_000.0
SLOWEST = 15
SPLITS = (
    "account",
    "feature",
    "user.region",
    "severity",
    "category",
    "priority",
    "integration",
    "route",
    "tier",
    "survey",
    "step",
)
WINDOWS = ("28d", "30d", "month", "7d", "24h")


async def year(site: Site) -> list[Read]:
    """Make the year and read it; each figure is the second of two reads, so that pages are in memory."""
    catalog = Catalog.load()
    async with site.database("year", 1) as database:
        connection = await asyncpg.connect(database.url, server_settings={"timezone": "UTC"})
        try:
            began_s = time.perf_counter()
            tenant = await make_year(connection, database)
            made_s = time.perf_counter() - began_s
            took_ms = {kpi.id: await _timed(connection, kpi, tenant, ()) for kpi in catalog.kpis.values()}
            split_ms = {
                f"{kpi.id} by {by}": await _timed(connection, kpi, tenant, (by,))
                for kpi in catalog.kpis.values()
                if (by := _split(kpi))
            }
        finally:
            await connection.close()
        report_ms = await _report(database, catalog, tenant)
    said = f"{USERS:,} users, made by SQL in {made_s:.0f} s"
    return [
        _read("the whole catalog, one after another", CATALOG_MS, sum(took_ms.values()), len(took_ms), said),
        *(_read(name, SPLIT_MS, took_ms[name], 1, "one of the slowest, whole") for name in _slowest(took_ms)),
        *(_read(name, SPLIT_MS, split_ms[name], 1, "one of the slowest, split") for name in _slowest(split_ms)),
        _read("weekly report as HTML", REPORT_MS, report_ms, 1, "figures, pictures and page"),
    ]


def _slowest(took_ms: dict[str, float]) -> list[str]:
    return sorted(took_ms, key=lambda name: -took_ms[name])[:SLOWEST]


def _split(kpi: Kpi) -> str:
    return next((by for by in SPLITS if kpi.splits_by(by)), "")


async def _timed(connection: asyncpg.Connection, kpi: Kpi, tenant: int, by: tuple[str, ...]) -> float:
    named = next(name for name in (*WINDOWS, *kpi.head.windows) if kpi.takes(name))
    window: Window = resolve_window(tenant, ZONE, now_us=SystemClock().now_us(), name=named)
    needed = tuple(name for name in kpi.head.required if name not in by)
    question = Question(by=(*by, *needed))
    declared = {tenant: declared_of(TenantConfig())}

    async def once() -> None:
        await run_kpi(connection, kpi, [window], question, declared=declared, kept=Kept())

    try:
        return await _second(once)
    except InvalidQuery as error:
        print(f"{kpi.id} by {by}: {error}", flush=True)
        return 0.0


async def _report(database: Database, catalog: Catalog, tenant: int) -> float:
    async with await create_pool(database.url, max_size=2) as pool:
        maker = Maker(pool, catalog, SystemClock())

        async def once() -> None:
            made, _ = await maker.make(tenant, "large", Wish("weekly"))
            render(made, "html")

        return await _second(once)


async def _second(once: Callable[[], Awaitable[None]]) -> float:
    await once()
    began_s = time.perf_counter()
    await once()
    return 1_000 * (time.perf_counter() - began_s)


def _read(name: str, aim_ms: float, took_ms: float, rows: int, said: str) -> Read:
    return Read(name=name, aim_ms=aim_ms, median_ms=took_ms, p95_ms=took_ms, runs=1, rows=rows, cpu_ms={}, said=said)
