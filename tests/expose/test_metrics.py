"""What Prometheus reads is clean, complete, and bounded."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from service.catalog import Catalog
from service.errors import StoreUnavailable
from service.expose import live, process
from service.expose.process import Part
from service.http.app import create_app
from service.http.auth import Keyring
from service.store.keys import create_key
from service.store.live import Shown
from service.store.tenants import tenant_by_name
from service.telemetry import Telemetry
from tests.evaluate.stage import Stage, staged
from tests.http.serving import serving


def lint(text: str) -> str:
    """What promtool has to say about an exposition."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def app_of(stage: Stage, *, max_series: int = 1_000, token: str = "") -> FastAPI:
    router = live.router(stage.pool, stage.catalog, clock=stage.clock, max_series=max_series, token=token)
    return create_app(
        title="test", routers=[router], telemetry=Telemetry("test"), keyring=Keyring(stage.pool, stage.clock, refresh_s=5)
    )


@asynccontextmanager
async def speaking(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(app) as address, httpx.AsyncClient(base_url=address, trust_env=False, timeout=60) as client:
        yield client


async def some_values(stage: Stage) -> None:
    now = stage.clock.now_us()
    await stage.requests([(now, "200", 9), (now, "500", 1)])
    await stage.live().once(stage.pool, stage.owner, stage.lease)


async def test_live_kpis_have_names_units_and_labels_that_promtool_likes(database_url: str) -> None:
    async with staged(database_url) as stage:
        await some_values(stage)
        async with speaking(app_of(stage)) as client:
            answer = await client.get("/metrics/kpis")
        assert 'tidegauge_requests{tenant="acme",window="5m"} 10.0' in answer.text
        assert 'tidegauge_error_rate_ratio{tenant="acme",window="5m"} 0.1' in answer.text
        assert 'tidegauge_error_rate_ratio{stat="5xx",tenant="acme",window="5m"} 0.1' in answer.text
        assert lint(answer.text) == ""


async def test_what_has_no_value_is_absent(database_url: str) -> None:
    async with staged(database_url) as stage:
        await some_values(stage)
        stage.clock.move(360)
        await stage.live().once(stage.pool, stage.owner, stage.lease)
        async with speaking(app_of(stage)) as client:
            answer = await client.get("/metrics/kpis")
        assert 'tidegauge_error_rate_ratio{tenant="acme",window="5m"}' not in answer.text
        assert 'tidegauge_requests{tenant="acme",window="5m"} 0.0' in answer.text


async def test_series_are_bounded_and_what_is_hidden_is_counted(database_url: str) -> None:
    async with staged(database_url) as stage:
        await some_values(stage)
        async with speaking(app_of(stage, max_series=3)) as client:
            answer = await client.get("/metrics/kpis")
        total = await stage.pool.fetchval("select count(*) from kpi_latest where value is not null")
        shown = [line for line in answer.text.splitlines() if line.startswith(("tidegauge_error_rate", "tidegauge_requests"))]
        assert len(shown) == 3
        assert f'tidegauge_kpi_series_hidden{{tenant="acme"}} {total - 3}.0' in answer.text


async def test_others_than_this_machine_need_a_key_with_the_scope(database_url: str) -> None:
    async with staged(database_url) as stage:
        await some_values(stage)
        async with stage.pool.acquire() as connection:
            tenant = await tenant_by_name(connection, "acme")
            _, metrics = await create_key(connection, tenant, ["metrics"])
            _, read = await create_key(connection, tenant, ["read"])
        elsewhere = {"x-forwarded-for": "192.0.2.1"}
        async with speaking(app_of(stage)) as client:
            assert (await client.get("/metrics/kpis", headers=elsewhere)).status_code == 401
            refused = await client.get("/metrics/kpis", headers=elsewhere | {"authorization": f"Bearer {read}"})
            assert refused.status_code == 403
            answer = await client.get("/metrics/kpis", headers=elsewhere | {"authorization": f"Bearer {metrics}"})
        assert 'tidegauge_requests{tenant="acme",window="5m"} 10.0' in answer.text


async def test_the_installations_token_shows_all_tenants_to_another_machine_and_nothing_else_does(database_url: str) -> None:
    elsewhere, token = {"x-forwarded-for": "192.0.2.1"}, "0123456789abcdef" * 2
    async with staged(database_url) as stage:
        await some_values(stage)
        async with speaking(app_of(stage, token=token)) as client:
            answer = await client.get("/metrics/kpis", headers=elsewhere | {"authorization": f"Bearer {token}"})
            assert 'tidegauge_requests{tenant="acme",window="5m"} 10.0' in answer.text
            for wrong in (f"Bearer {token[:-1]}", "Bearer", f"Basic {token}"):
                refused = await client.get("/metrics/kpis", headers=elsewhere | {"authorization": wrong})
                assert refused.status_code == 401, wrong
        async with speaking(app_of(stage)) as client:
            refused = await client.get("/metrics/kpis", headers=elsewhere | {"authorization": "Bearer"})
            assert refused.status_code == 401


async def test_one_page_shows_all_processes_and_promtool_likes_it() -> None:
    async def ready() -> Part:
        return Part(ready=True)

    other = Telemetry("aggregate")
    other.consumed.labels(outcome="stored").inc(7)
    sibling = create_app(
        title="aggregate",
        routers=[process.router(other.registry, role="aggregate", checks={}, siblings={})],
        telemetry=other,
    )
    own = Telemetry("api")
    async with serving(sibling) as address:
        siblings = {"aggregate": f"{address}/metrics", "gone": "http://127.0.0.1:9/metrics"}
        app = create_app(
            title="api",
            routers=[process.router(own.registry, role="api", checks={"part": ready}, siblings=siblings)],
            telemetry=own,
        )
        async with speaking(app) as client:
            answer = await client.get("/metrics")
            health = await client.get("/readyz")
    assert 'tidegauge_aggregate_events_total{outcome="stored",process="aggregate"} 7.0' in answer.text
    assert 'tidegauge_build_info{process="api",role="api"' in answer.text
    assert 'process="gone"' not in answer.text
    assert lint(answer.text) == ""
    assert health.json() == {"status": "ready", "not_ready": [], "parts": {"part": "ready"}}


async def test_what_is_not_ready_is_named() -> None:
    async def away() -> Part:
        raise StoreUnavailable("Postgres does not answer")

    telemetry = Telemetry("api")
    router = process.router(telemetry.registry, role="api", checks={"database": away}, siblings={})
    async with speaking(create_app(title="api", routers=[router], telemetry=telemetry)) as client:
        answer = await client.get("/readyz")
        assert (await client.get("/healthz")).is_success
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "not_ready": ["database"], "parts": {"database": "Postgres does not answer"}}


def every_kpi(**dims: str) -> list[Shown]:
    """A series of every statistic of the whole catalog, plain and split."""
    return [
        Shown("acme", kpi.id, statistic, "5m", split, 1.5, 2.0, 3.0, "green", 10)
        for kpi in Catalog.load().kpis.values()
        for statistic in kpi.statistics
        for split in ({}, dims)
    ]


def test_every_kpi_of_the_catalog_is_exposed_as_promtool_likes_it() -> None:
    catalog = Catalog.load()
    shown = every_kpi(service='a "b" \\ c\nd', **{"user.region": "eu"})
    text = live.exposition(shown, catalog, {}, max_series=5_000).decode()
    assert lint(text) == ""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    named = {sample.name for sample in samples}
    for kpi in catalog.kpis.values():
        for statistic in kpi.statistics:
            assert live.metric_name(kpi, statistic)[0] in named
    [one] = [each for each in samples if each.name == "tidegauge_dau" and "service" in each.labels]
    assert one.labels == {"tenant": "acme", "window": "5m", "service": 'a "b" \\ c\nd', "user_region": "eu"}


def test_odd_names_of_dimensions_are_labels_that_never_meet() -> None:
    odd = {"a.b": "1", "a-b": "2", "größe": "3", "grösse": "4", "1st": "5", "__x": "6", "tenant": "7", "window": "8", "kpi": "9"}
    text = live.exposition(every_kpi(**odd), Catalog.load(), {}, max_series=5_000).decode()
    assert lint(text) == ""
    seen: set[tuple[str, frozenset[tuple[str, str]]]] = set()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in seen
            seen.add(key)
            if "a_b" in sample.labels:
                assert {*odd.values(), "acme", "5m"} <= {*sample.labels.values()}
                assert (sample.labels["tenant"], sample.labels["window"]) == ("acme", "5m")
