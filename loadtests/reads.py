"""The stage of reads: what dashboards, the evaluator and Prometheus ask for, of much data, again and again."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from loadtests.pace import nearest_rank
from loadtests.reads_data import CHUNKS, LIVE_SERIES, SERIES, TENANTS, make_rollups
from loadtests.results import Read
from loadtests.role import running
from loadtests.site import Database, Site
from service.catalog import Catalog, Question, Window, resolve_window
from service.catalog import run as run_kpi
from service.catalog.arguments import arguments
from service.catalog.statement import statement
from service.clock import SystemClock
from service.lifecycle import spare_the_collector
from service.store import live

WARM_UP_RUNS = 5
ZONE = "Europe/Berlin"
USERS = CHUNKS * 2_048


@dataclass(frozen=True, slots=True)
class _Asked:
    """One kind of read."""

    name: str
    aim_ms: float
    said: str
    answers: Callable[[], Awaitable[int]]
    """Reads once; returns how many rows came."""


@dataclass(frozen=True, slots=True)
class _Set:
    """A KPI of many tenants at once, as the evaluator asks for it."""

    kpi: str
    window: str


OVER_HTTP = (
    ("WAU of 10 million users", 50.0, "/v1/kpis/wau?window=7d", f"{USERS:,} users, three in eight active a day"),
    ("percentiles of 30 days", 50.0, "/v1/kpis/request_latency?window=30d", f"{SERIES} series added up, 160 bins a day"),
    ("percentiles of 30 days by route", 50.0, "/v1/kpis/request_latency?window=30d&by=route", f"{SERIES} rows"),
    ("scrape of /metrics/kpis", 20.0, "/metrics/kpis", f"{LIVE_SERIES:,} values, a fifth with target, limit and status"),
)
OF_MANY = (_Set("wau", "7d"), _Set("error_rate", "7d"), _Set("error_rate", "1h"))


async def reads(site: Site, runs: int, explained: Path | None) -> list[Read]:
    """Make the rollups, read each kind so many times, and keep the plans in a file when there is one."""
    catalog = Catalog.load()
    spare_the_collector()  # as the evaluator does, in whose place this process asks
    async with site.database("reads", 1) as database:
        connection = await asyncpg.connect(database.url, server_settings={"timezone": "UTC"})
        try:
            # The tables by the minute are made by the roles that write them.
            async with running(site, "aggregate", database):
                pass
            many = await make_rollups(connection, database)
            async with (
                running(site, "api", database) as api,
                httpx.AsyncClient(base_url=api.address, trust_env=False, timeout=30.0) as client,
            ):
                asked = [*_over_http(client, database), *_of_many(connection, catalog, many)]
                found = [await _again(each, runs, lambda: {"api": api.cpu_s(), **site.servers_cpu_s()}) for each in asked]
            if explained is not None:
                _keep(explained, await _plans(connection, catalog, database.tenants[-1], many))
        finally:
            await connection.close()
    return found


def _over_http(client: httpx.AsyncClient, database: Database) -> list[_Asked]:
    head = {"authorization": f"Bearer {database.read_key}"}

    def get(path: str) -> Callable[[], Awaitable[int]]:
        async def once() -> int:
            answer = await client.get(path, headers=head)
            answer.raise_for_status()
            if not path.startswith("/v1"):
                return answer.text.count("\ntidegauge_request_latency")
            found = answer.json()
            return len(found["rows"]) or int(found["value"] is not None)

        return once

    return [_Asked(f"{name}, over HTTP", aim_ms, said, get(path)) for name, aim_ms, path, said in OVER_HTTP]


def _of_many(connection: asyncpg.Connection, catalog: Catalog, many: Sequence[int]) -> list[_Asked]:
    def ask(one: _Set) -> Callable[[], Awaitable[int]]:
        async def once() -> int:
            return len(await run_kpi(connection, catalog.kpis[one.kpi], _windows(many, one.window)))

        return once

    return [
        _Asked(f"{one.kpi} {one.window} of {TENANTS:,} tenants", 200.0, "one statement, and its values", ask(one))
        for one in OF_MANY
    ]


async def _again(asked: _Asked, runs: int, used_s: Callable[[], dict[str, float]]) -> Read:
    took_s = []
    for _ in range(WARM_UP_RUNS):
        await asked.answers()
    before_s, own_s = used_s(), time.process_time()
    for _ in range(runs):
        began_s = time.perf_counter()
        rows = await asked.answers()
        took_s.append(time.perf_counter() - began_s)
    cpu_ms = {name: 1_000 * (after_s - before_s[name]) / runs for name, after_s in used_s().items()}
    cpu_ms["client"] = 1_000 * (time.process_time() - own_s) / runs
    if not rows:
        raise RuntimeError(f"{asked.name}: nothing came back, so nothing was measured")
    took_s.sort()
    return Read(
        name=asked.name,
        aim_ms=asked.aim_ms,
        median_ms=1_000 * nearest_rank(took_s, 50),
        p95_ms=1_000 * nearest_rank(took_s, 95),
        runs=runs,
        rows=rows,
        cpu_ms=cpu_ms,
        said=asked.said,
    )


def _windows(tenants: Sequence[int], name: str) -> list[Window]:
    now_us = SystemClock().now_us()
    return [resolve_window(tenant, ZONE, now_us=now_us, name=name, key=(tenant, name)) for tenant in tenants]


async def _plans(connection: asyncpg.Connection, catalog: Catalog, tenant: int, many: Sequence[int]) -> str:
    """EXPLAIN (ANALYZE, BUFFERS) of every read's statement."""
    asked: list[tuple[str, str, Sequence[int], tuple[str, ...]]] = [
        ("wau", "7d", [tenant], ()),
        ("request_latency", "30d", [tenant], ()),
        ("request_latency", "30d", [tenant], ("route",)),
        *((one.kpi, one.window, many, ()) for one in OF_MANY),
    ]
    texts = []
    for kpi_id, window, tenants, by in asked:
        kpi, question = catalog.kpis[kpi_id], Question(by=by)
        split = (*by, *(name for name in kpi.head.apart if name not in by))
        made = statement(kpi, split, frozenset())
        bound = arguments(kpi, _windows(tenants, window), question, split, {}, frozenset(made.parameters))
        head = f"{kpi_id} {window} of {len(tenants)} tenants{' by ' if by else ''}{', '.join(by)}"
        texts.append(await _plan(connection, head, made.text, [bound[name] for name in made.parameters]))
    texts.append(await _plan(connection, "/metrics/kpis", live._READ, [None, LIVE_SERIES]))  # noqa: SLF001  # its plan is asked for
    return "\n\n".join(texts) + "\n"


def _keep(path: Path, plans: str) -> None:
    path.write_text(plans)


async def _plan(connection: asyncpg.Connection, head: str, text: str, parameters: Sequence[Any]) -> str:
    lines = await connection.fetch(f"explain (analyze, buffers) {text}", *parameters)
    return "\n".join([f"-- {head}", *(line[0] for line in lines)])
