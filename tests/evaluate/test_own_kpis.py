"""A tenant's own formula is kept current, in its history, in the API and on /metrics/kpis, and it is nobody else's."""

import tomllib
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx

from service.catalog import Catalog
from service.clock import DAY, HOUR
from service.domain.config import TenantConfig
from service.expose import kpis, scorecards
from service.http.app import create_app
from service.http.auth import Keyring
from service.settings import Settings
from service.store.keys import create_key
from service.store.tenants import tenant_by_name
from service.telemetry import Telemetry
from tests.catalog.rollups import Observation, make_tenant, store
from tests.catalog.test_customer_scores import Told, tell
from tests.evaluate.stage import Stage, staged
from tests.expose.test_metrics import app_of, lint, speaking

CONFIG = """
[[formula]]
id = "failures"
expression = "requests * error_rate"
unit = "requests"
better = "lower"
[[formula]]
id = "success"
expression = "1 - failures / requests"
better = "higher"
[[target]]
kpi = "success"
op = ">="
target = 0.95
limit = 0.8
[scorecard.own]
rows = ["success", "requests"]
"""


async def declare(stage: Stage, text: str, version: int = 1) -> None:
    """Store a version that counts for ever, as the check would have found it."""
    config = TenantConfig.model_validate(tomllib.loads(text), by_alias=True).to_json()
    await stage.pool.execute("delete from config_version where tenant = $1", stage.tenant)
    await stage.pool.execute("insert into config_version values ($1, $2, null, '', $3, now())", stage.tenant, version, config)
    await stage.pool.execute("update tenant set config_version = $2 where id = $1", stage.tenant, version)


async def live(stage: Stage, name: str) -> dict[str, Any]:
    rows = await stage.pool.fetch("select * from kpi_latest where kpi = $1 and dims = '{}' and statistic = ''", name)
    return {row["window"]: row for row in rows}


async def test_a_formula_is_kept_current_and_judged(database_url: str) -> None:
    async with staged(database_url) as stage:
        await declare(stage, CONFIG)
        await stage.requests([(stage.clock.now_us(), "200", 9), (stage.clock.now_us(), "500", 1)])
        await stage.live().once(stage.pool, stage.owner, stage.lease)
        row = (await live(stage, "success"))["5m"]
        assert (row["value"], row["numerator"], row["target"], row["status"]) == (0.9, Decimal("0.9"), 0.95, "yellow")
        assert (await live(stage, "failures"))["1h"]["value"] == 1.0


async def test_a_share_within_a_limit_is_kept_current_and_judged_as_a_formula(database_url: str) -> None:
    async with staged(database_url) as made:
        kpis = Catalog.load().kpis
        stage = replace(made, catalog=Catalog({name: kpis[name] for name in ("request_latency", "requests")}))
        target = '[[target]]\nkpi = "soon"\nop = ">="\ntarget = 0.95\n'
        formula = '[[formula]]\nid = "soon"\nexpression = "request_latency.share_within{limit_ms=300}"\nbetter = "higher"\n'
        await declare(stage, formula + target)
        await stage.requests([(stage.clock.now_us(), "200", 9)])
        await stage.live().once(stage.pool, stage.owner, stage.lease)
        row = (await live(stage, "soon"))["5m"]
        assert (row["value"], row["target"], row["status"]) == (1.0, 0.95, "green")


async def test_growth_is_kept_current_judged_and_in_the_history_like_any_other_kpi(database_url: str) -> None:
    formula = '[[formula]]\nid = "grown"\nexpression = "growth(requests, day)"\nunit = "ratio"\nbetter = "higher"\n'
    target = '[[target]]\nkpi = "grown"\nop = ">="\ntarget = 0.15\n'
    async with staged(database_url) as made:
        stage = replace(made, catalog=Catalog({"requests": Catalog.load().kpis["requests"]}))
        await declare(stage, formula + target)
        now = stage.clock.now_us()
        await stage.requests([(now, "200", 6), (now - DAY, "200", 5), (now - 2 * DAY, "200", 4)])
        await stage.live().once(stage.pool, stage.owner, stage.lease)
        row = (await live(stage, "grown"))["1h"]
        assert (row["value"], row["numerator"], row["target"], row["status"]) == (0.2, 1, 0.15, "green")
        await stage.closing().once(stage.pool, stage.owner, stage.lease, watermark_us=now)
        days = await stage.values("kpi_history", "grown", window="day")
        assert [(row["value"], row["status"]) for row in days][-1] == (0.25, "green")


async def test_a_formula_that_is_declared_no_more_is_gone(database_url: str) -> None:
    async with staged(database_url) as stage:
        await declare(stage, CONFIG)
        await stage.requests([(stage.clock.now_us(), "200", 9)])
        rounds = stage.live()
        await rounds.once(stage.pool, stage.owner, stage.lease)
        assert await live(stage, "success")
        await declare(stage, "", version=2)
        await rounds.once(stage.pool, stage.owner, stage.lease)
        assert await live(stage, "success") == {}
        assert await live(stage, "requests")


async def test_a_formula_is_its_tenants_alone(database_url: str) -> None:
    async with staged(database_url) as stage:
        await declare(stage, CONFIG)
        other = await make_tenant(stage.pool, "other")  # type: ignore[arg-type]
        now = stage.clock.now_us()
        await stage.requests([(now, "200", 9)])
        await store(stage.pool, other, "request", "UTC", [Observation(now, {"service": "api", "status": "200"}, count=5)])
        await stage.pool.execute("insert into tenant_dirty values ($1, 1, $2, $2)", other, now)
        await stage.live().once(stage.pool, stage.owner, stage.lease)
        found = await stage.pool.fetch("select distinct tenant, kpi from kpi_latest where \"window\" = '5m' order by tenant, kpi")
        assert [tuple(row) for row in found] == [
            *((stage.tenant, name) for name in ("error_rate", "failures", "requests", "success")),
            *((other, name) for name in ("error_rate", "requests")),
        ]


async def test_a_formula_has_its_history(database_url: str) -> None:
    async with staged(database_url) as stage:
        await declare(stage, CONFIG)
        await stage.requests([(stage.clock.now_us() - DAY, "200", 3), (stage.clock.now_us() - DAY, "500", 1)])
        await stage.closing().once(stage.pool, stage.owner, stage.lease, watermark_us=stage.clock.now_us())
        days = await stage.values("kpi_history", "success", window="day")
        assert [row["value"] for row in days][-1] == 0.75


async def test_prometheus_sees_a_formula_in_its_unit(database_url: str) -> None:
    async with staged(database_url) as stage:
        await declare(stage, CONFIG)
        await stage.requests([(stage.clock.now_us(), "200", 9), (stage.clock.now_us(), "500", 1)])
        await stage.live().once(stage.pool, stage.owner, stage.lease)
        async with speaking(app_of(stage)) as client:
            text = (await client.get("/metrics/kpis")).text
        assert 'tidegauge_success_ratio{tenant="acme",window="5m"} 0.9' in text
        assert 'tidegauge_kpi_target{kpi="success",tenant="acme",window="5m"} 0.95' in text
        assert lint(text) == ""


async def test_the_api_has_a_formula_like_any_other(database_url: str) -> None:
    async with staged(database_url) as stage:
        await declare(stage, CONFIG)
        now = stage.clock.now_us()
        seen = [(now - HOUR, "200", 9), (now - HOUR, "500", 1), (now - 8 * DAY, "200", 60), (now - 8 * DAY, "500", 40)]
        await stage.requests(seen)
        async with stage.pool.acquire() as connection:
            _, secret = await create_key(connection, await tenant_by_name(connection, "acme"), ["read"])
        made = {"clock": stage.clock, "settings": Settings()}
        # A scorecard decides by health, which is made of many others.
        routers = [kpis.router(stage.pool, stage.catalog, **made), scorecards.router(stage.pool, Catalog.load(), **made)]  # type: ignore[arg-type]
        keyring = Keyring(stage.pool, stage.clock, refresh_s=5)
        app = create_app(title="t", routers=routers, telemetry=Telemetry("api"), keyring=keyring)
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t", headers=headers) as client:
            listed = (await client.get("/v1/kpis")).json()["kpis"]
            one = (await client.get("/v1/kpis/success?window=7d&by=service&compare=before")).json()
            series = (await client.get("/v1/kpis/failures/series?step=1d&window=7d")).json()
            card = (await client.get("/v1/scorecards/own?window=7d")).json()
        assert [each["id"] for each in listed] == ["error_rate", "requests", "failures", "success"]
        assert (one["value"], one["status"], one["rows"][0]["dims"], one["rows"][0]["value"]) == (
            0.9,
            "yellow",
            {"service": "api"},
            0.9,
        )
        assert (one["change"]["before"], one["change"]["trend"], one["change"]["verdict"]) == (0.6, "up", "better")
        assert sum(point["value"] or 0 for point in series["points"]) == 1
        row, requests = card["rows"]
        assert (row["value"], row["before"], row["trend"], row["verdict"]) == (0.9, 0.6, "up", "better")
        assert (requests["before"], requests["trend"], requests["verdict"]) == (100, "down", None)


async def test_scores_of_customers_are_kept_current_and_have_their_history(database_url: str) -> None:
    async with staged(database_url) as stage:
        kpis = Catalog.load().kpis
        whole = replace(stage, catalog=Catalog({name: kpis[name] for name in ("churn_risk", "health", "requests")}))
        now = stage.clock.now_us()
        async with stage.pool.acquire() as connection:
            told = [Told("acme", "status", "active", now - 60 * DAY), Told("acme", "signal.merger", "true", now - 2 * DAY)]
            await tell(connection, stage.tenant, *told)
        await stage.requests([(now, "200", 9), (now - 3 * DAY, "200", 1)])
        await whole.live("longer").once(stage.pool, stage.owner, stage.lease)
        rows = await stage.pool.fetch(
            "select statistic, dims, value from kpi_latest where kpi = 'churn_risk' and \"window\" = '30d'"
        )
        found = {(row["statistic"], row["dims"]): row["value"] for row in rows}
        # 20 for no use in a month, 10 for the merger.
        assert (found["", '{"account": "acme"}'], found["", "{}"], found["yellow", "{}"]) == (30, 30, 1)
        assert (
            await stage.pool.fetchval("select value from kpi_latest where kpi = 'health' and statistic = '' and dims = '{}'") > 0
        )
        await whole.closing().once(stage.pool, stage.owner, stage.lease, watermark_us=now)
        history = await stage.pool.fetch(
            "select value from kpi_history where kpi = 'churn_risk' and statistic = '' and \"window\" = 'day'"
            ' and dims = \'{"account": "acme"}\' order by end_at desc limit 3'
        )
        assert [row["value"] for row in history] == [30, 30, 20][: len(history)]
        async with speaking(app_of(whole)) as client:
            text = (await client.get("/metrics/kpis")).text
        assert 'tidegauge_churn_risk{account="acme",tenant="acme",window="30d"} 30.0' in text
