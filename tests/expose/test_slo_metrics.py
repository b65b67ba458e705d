"""Prometheus sees each SLO as two counters that only grow and an objective."""

from dataclasses import replace

import httpx
from prometheus_client.parser import text_string_to_metric_families

from service.catalog import Catalog
from service.clock import DAY, to_datetime
from service.domain.config import TenantConfig
from service.domain.config.versions import TenantConfigs, configs_of
from service.evaluate.ground import Grounds
from service.evaluate.slos import SloCounting
from service.expose import live
from service.store import slo_counters
from service.store.config import apply_config
from service.store.tenants import create_tenant
from service.telemetry import Telemetry
from tests.catalog.rollups import make_tenant
from tests.evaluate.stage import Stage, staged
from tests.expose.test_metrics import app_of, lint, speaking

Counts = dict[tuple[str, str], tuple[float, float]]
EVERY_KIND = """
[[slo]]
name = "up"
kind = "availability"
objective = 0.999
[[slo]]
name = "fresh"
kind = "freshness"
objective = 0.99
[[slo]]
name = "fast"
kind = "request_latency"
limit_ms = 300
objective = 0.99
[[slo]]
name = "request-success"
kind = "request_success"
objective = 0.99
[[slo]]
name = "sap"
kind = "delivery_on_time"
where = { integration = "sap" }
objective = 0.95
[[slo]]
name = "uploads"
kind = "usage"
where = { feature = "upload" }
objective = 0.9
[[slo]]
name = "cpu"
kind = "meter"
where = { meter = "cpu" }
value = 0.8
objective = 0.9
"""
DEFAULTS = ("availability", "delivery-on-time", "request-success")
NAMES = ("cpu", "fast", "fresh", "request-success", "sap", "up", "uploads")


def of(*slos: tuple[str, str, float]) -> TenantConfigs:
    """A configuration with these SLOs (name, kind, objective)."""
    declared = [{"name": name, "kind": kind, "objective": objective} for name, kind, objective in slos]
    config = TenantConfig.model_validate({"slo": declared})
    return replace(configs_of("UTC", 0, ()), versions=(config,))


async def counts(client: httpx.AsyncClient) -> Counts:
    """Good and all of each SLO (tenant, name), as /metrics/kpis shows them."""
    families = {each.name: each for each in text_string_to_metric_families((await client.get("/metrics/kpis")).text)}
    good, every = (
        {(each.labels["tenant"], each.labels["slo"]): each.value for each in families[name].samples}
        for name in ("tidegauge_slo_good_events", "tidegauge_slo_events")
    )
    return {key: (good[key], total) for key, total in every.items()}


async def applied(stage: Stage, text: str, *, in_days: int = 0) -> None:
    """A file that is applied now and begins so many days later (0: a first one, which is there at once)."""
    begins = f"valid_from = {to_datetime((stage.clock.now_us() // DAY + in_days) * DAY).isoformat()}\n" if in_days else ""
    async with stage.pool.acquire() as connection:
        shapes = Catalog.load().shapes()
        await apply_config(connection, "acme", begins + text, now_us=stage.clock.now_us(), known_kpis=shapes)


async def evaluated(stage: Stage) -> None:
    """A round of an evaluator that has seen nothing yet."""
    made = SloCounting(stage.clock, Grounds(), Telemetry("test"), DAY)
    await made.once(stage.pool, stage.owner, stage.lease, watermark_us=stage.clock.now_us())


async def test_slos_of_a_new_tenant_stand_at_0_before_its_first_event(database_url: str) -> None:
    async with staged(database_url) as stage, speaking(app_of(stage)) as client:
        async with stage.pool.acquire() as connection:
            await create_tenant(connection, "fresh", "Europe/Berlin")
        at_0 = {("fresh", name): (0.0, 0.0) for name in DEFAULTS}
        assert await counts(client) == at_0
        await evaluated(stage)
        assert await counts(client) == at_0 | {("acme", name): (0.0, 0.0) for name in DEFAULTS}


async def test_slos_of_every_kind_stand_at_0_as_soon_as_they_are_applied(database_url: str) -> None:
    async with staged(database_url) as stage, speaking(app_of(stage)) as client:
        await applied(stage, EVERY_KIND)
        at_0 = {("acme", name): (0.0, 0.0) for name in NAMES}
        assert await counts(client) == at_0
        await evaluated(stage)
        assert await counts(client) == at_0


async def test_an_slo_goes_with_its_declaration_and_one_that_comes_back_goes_on_from_where_it_stood(
    database_url: str,
) -> None:
    async with staged(database_url) as stage, speaking(app_of(stage)) as client:
        await applied(stage, EVERY_KIND)
        async with stage.pool.acquire() as connection:
            await connection.execute("update slo_counter set good = 8, total = 9")
        await applied(stage, "", in_days=2)
        planned = {("acme", name): (8.0, 9.0) for name in NAMES} | {
            ("acme", name): (0.0, 0.0) for name in DEFAULTS if name not in NAMES
        }
        assert await counts(client) == planned
        await evaluated(stage)
        assert await counts(client) == planned, "what is planned stands at 0, and what it ends counts until then"
        stage.clock.us += 3 * DAY
        await evaluated(stage)
        assert await counts(client) == {("acme", name): planned["acme", name] for name in DEFAULTS}
        await applied(stage, EVERY_KIND, in_days=2)
        assert await counts(client) == planned


async def test_slos_are_counters_with_their_objective_and_promtool_likes_them(database_url: str) -> None:
    async with staged(database_url) as stage:
        async with stage.pool.acquire() as connection:
            other = await make_tenant(connection, "umbrella")
            declared = {
                stage.tenant: of(("up-here", "availability", 0.999), ("on-time", "delivery_on_time", 0.95)),
                other: of(("on-time", "delivery_on_time", 0.9)),
            }
            await slo_counters.declare(connection, declared, now_us=stage.clock.now_us())
            await connection.execute(
                "update slo_counter set good = 3, total = 4 where slo = 'on-time' and tenant = $1", stage.tenant
            )
            await connection.execute("insert into slo_counter values ($1, 'gone', 1, 1)", stage.tenant)
            # One that counted before it was kept since when.
            await connection.execute("update slo_counter set created_at = null where tenant = $1", other)
            began = await connection.fetchval("select extract(epoch from min(created_at)) from slo_counter")
        async with speaking(app_of(stage)) as client:
            answer = await client.get("/metrics/kpis")
    assert lint(answer.text) == ""
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    events, good = families["tidegauge_slo_events"], families["tidegauge_slo_good_events"]
    assert (events.type, good.type) == ("counter", "counter")
    seen = {(each.labels["tenant"], each.labels["slo"]): each.value for each in events.samples}
    assert seen == {("acme", "on-time"): 4, ("acme", "up-here"): 0, ("umbrella", "on-time"): 0}
    assert {each.value for each in good.samples} == {3, 0}
    since = families["tidegauge_slo_events_created"].samples
    assert {(each.labels["tenant"], each.labels["slo"]) for each in since} == {("acme", "on-time"), ("acme", "up-here")}
    assert {each.value for each in since} == {float(began)}
    objectives = families["tidegauge_slo_objective_ratio"].samples
    assert {each.labels["slo"]: each.value for each in objectives if each.labels["tenant"] == "acme"} == {
        "on-time": 0.95,
        "up-here": 0.999,
    }


def test_an_exposition_without_slos_has_none() -> None:
    text = live.exposition([], Catalog(), {}, max_series=10).decode()
    assert "tidegauge_slo_events_total{" not in text
