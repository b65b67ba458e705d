"""The stage of a year of a million users: rounds of the evaluator, every KPI by every split, and the weekly report."""

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from statistics import median
from uuid import uuid4

import asyncpg

from loadtests.machine import load
from loadtests.results import Read
from loadtests.site import Site
from loadtests.year_data import USERS, make_year
from loadtests.year_served import make_served
from service.catalog import Catalog, Kpi, Question, Window, resolve_window
from service.catalog.handed import takes_several
from service.catalog.paging import read_page, rows_of_a_page
from service.clock import SystemClock
from service.evaluate import values
from service.evaluate.ground import Ground, Grounds
from service.evaluate.rounds import ROUNDS, LiveRound
from service.lifecycle import spare_the_collector
from service.reports.making import Maker, Wish
from service.reports.rendering import render
from service.settings import Settings
from service.store import leases
from service.store.dirty import touched_tenants
from service.store.engine import QUERIES, WHOLE_CATALOG, create_pool
from service.store.installation import EVALUATE_LEASE
from service.store.snapshots import SIDE_BY_SIDE, widened
from service.telemetry import Telemetry

ZONE = "Europe/Berlin"
CATALOG_MS = 5_000.0
SPLIT_MS = 200.0
REPORT_MS = 3_000.0
RUNS = 5
SLOWEST = 10
LEASE_S = 3_600.0
WINDOWS = ("28d", "30d", "month", "7d", "24h")
FREE = "delete from lease where resource = $1"
"""What an interrupted run may have left."""
TOUCHED = "insert into tenant_dirty (tenant) values ($1) on conflict do nothing"


async def year(site: Site) -> list[Read]:
    """Make the year and read it."""
    async with site.database("year", 1) as database:
        await make(database.url, database.tenants[-1])
        return await read_year(database.url, database.tenants[-1], lambda: site.servers_cpu_s()["postgres"])


async def make(url: str, tenant: int) -> None:
    """Fill a tenant of a new database."""
    began_s = time.perf_counter()
    connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    try:
        await make_year(connection, tenant)
        await make_served(connection, tenant)
        await connection.execute(TOUCHED, tenant)
    finally:
        await connection.close()
    print(f"{USERS:,} users, made by SQL in {time.perf_counter() - began_s:.0f} s", flush=True)


async def read_year(url: str, tenant: int, postgres_cpu_s: Callable[[], float], runs: int = RUNS) -> list[Read]:
    """What the year costs to be read: medians, after a first time that brings pages into memory and plans into sessions."""
    catalog = Catalog.load()
    spare_the_collector()
    async with await create_pool(url, max_size=SIDE_BY_SIDE + 1, session=QUERIES, prepared=WHOLE_CATALOG) as pool:
        meter = Meter(postgres_cpu_s, runs)
        await pool.execute(FREE, EVALUATE_LEASE)
        whole = await meter.of("the whole catalog: all live windows and splits, written", CATALOG_MS, _rounds(pool, catalog))
        async with pool.acquire() as connection:
            ground = await Grounds().now(connection, await touched_tenants(connection), at_us=SystemClock().now_us())
            live = [await meter.of(*each) for each in _live(connection, catalog, tenant, ground)]
            split = [await meter.of(*each) for each in _splits(pool, connection, catalog, tenant, ground)]
        report = await meter.of("weekly report as HTML", REPORT_MS, _report(pool, catalog, tenant))
    over = sum(each.median_ms > SPLIT_MS for each in split)
    print(f"{len(split)} KPIs by one split each: {over} over {SPLIT_MS:.0f} ms; load {load():.1f}", flush=True)
    return [whole, *_slowest(live), *_slowest(split), report]


@dataclass(frozen=True, slots=True)
class Meter:
    """Takes the time of something, and the CPU of Postgres and of this process."""

    postgres_cpu_s: Callable[[], float]
    runs: int = RUNS

    async def of(self, name: str, aim_ms: float, answers: Callable[[], Awaitable[int]], first: int = 1) -> Read:
        """One read, several times after the `first` ones, which do not count."""
        rows = 0
        for _ in range(first):
            rows = await answers()
        took_ms, before_s, own_s = [], self.postgres_cpu_s(), time.process_time()
        for _ in range(self.runs):
            began_s = time.perf_counter()
            await answers()
            took_ms.append(1_000 * (time.perf_counter() - began_s))
        cpu_ms = {
            "postgres": 1_000 * (self.postgres_cpu_s() - before_s) / self.runs,
            "asker": 1_000 * (time.process_time() - own_s) / self.runs,
        }
        return Read(
            name=name,
            aim_ms=aim_ms,
            median_ms=median(took_ms),
            p95_ms=max(took_ms),
            runs=self.runs,
            rows=rows,
            cpu_ms=cpu_ms,
            said=f"load {load():.1f}",
        )


def _slowest(reads: Iterable[Read]) -> list[Read]:
    """By their CPU: other work on the machine makes it less longer than the time."""
    return sorted(reads, key=lambda read: -sum(read.cpu_ms.values()))[:SLOWEST]


Asked = tuple[str, float, Callable[[], Awaitable[int]], int]
"""What is read, in how many milliseconds at the most, how, and how often before it counts: once a connection that it may use."""


def _rounds(pool: asyncpg.Pool, catalog: Catalog) -> Callable[[], Awaitable[int]]:
    """Each of the evaluator's rounds once, for a tenant that a flush has touched, with all that it writes."""
    owner, grounds = uuid4(), Grounds()

    async def once() -> int:
        async with pool.acquire() as connection:
            backend = await leases.backend_of(connection)
            held = await leases.take(
                connection, owner=owner, resources=[EVALUATE_LEASE], most=1, lease_s=LEASE_S, backend=backend
            )
        telemetry = Telemetry("evaluate")
        rounds = [LiveRound(each, catalog, SystemClock(), telemetry, grounds) for each in ROUNDS]
        done = [await each.once(pool, owner, held[0]) for each in rounds]
        async with pool.acquire() as connection:
            await leases.release(connection, owner=owner, leases=held)
        return sum(done)

    return once


def _live(connection: asyncpg.pool.PoolConnectionProxy, catalog: Catalog, tenant: int, ground: Ground) -> Iterator[Asked]:
    """Each KPI of the rounds, with all of its live windows and splits."""
    for kpi in catalog.kpis.values():
        named = kpi.head.live.windows if kpi.head.live else ()
        windows = [_window(tenant, name) for name in named]
        if windows:

            async def once(kpi: Kpi = kpi, windows: list[Window] = windows) -> int:
                return len(await values.evaluate(connection, kpi, windows, ground))

            yield f"{kpi.id}, live", CATALOG_MS, once, 1


def _splits(
    pool: asyncpg.Pool, connection: asyncpg.pool.PoolConnectionProxy, catalog: Catalog, tenant: int, ground: Ground
) -> Iterator[Asked]:
    """Each KPI of a month by each of its dimensions: the first page, as the API asks for it, on as many connections."""
    for kpi in catalog.kpis.values():
        name = next(name for name in (*WINDOWS, *kpi.head.windows) if kpi.takes(name))
        own = [each for each in kpi.dimensions if not each.endswith("*")]
        for by in [*own, *(["user.region"] if kpi.splits_by("user.region") else []), *(["band.mrr"] if "account" in own else [])]:
            if kpi.head.kind == "score" and by != "account":
                continue
            question = Question(by=(by, *(each for each in kpi.head.required if each != by)))

            async def once(kpi: Kpi = kpi, name: str = name, question: Question = question) -> int:
                window = _window(tenant, name)
                limit = rows_of_a_page(question, len(set(kpi.statistics) - {"share_within"}), Settings().query_max_rows)
                async with AsyncExitStack() as stack:
                    seen = None
                    if takes_several(kpi, question):
                        await stack.enter_async_context(connection.transaction(isolation="repeatable_read", readonly=True))
                        seen = await stack.enter_async_context(widened(connection, pool))
                    asked = partial(read_page, connection, kpi, window, question, limit)
                    page = await asked(declared=ground.declared, kept=ground.kept, seen=seen)
                return sum(len(values) for _, values in page.rows)

            first = SIDE_BY_SIDE if takes_several(kpi, question) else 1
            yield f"{kpi.id} of {name} by {', '.join(question.by)}", SPLIT_MS, once, first


def _window(tenant: int, name: str) -> Window:
    return resolve_window(tenant, ZONE, now_us=SystemClock().now_us(), name=name, key=(tenant, name))


def _report(pool: asyncpg.Pool, catalog: Catalog, tenant: int) -> Callable[[], Awaitable[int]]:
    maker = Maker(pool, catalog, SystemClock())

    async def once() -> int:
        made, _ = await maker.make(tenant, "large", Wish("weekly"))
        return len(render(made, "html"))

    return once
