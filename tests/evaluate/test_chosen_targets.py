"""A target of what somebody chooses, a limit or a parameter, judges the value that is asked for with it, and no other."""

from collections.abc import AsyncIterator
from fractions import Fraction
from typing import Any

import httpx
import pytest

from service.catalog import Catalog
from service.catalog.choices import choices_of, question_of
from service.clock import DAY
from service.domain.config import TenantConfig
from service.domain.targets import Status, judge
from service.expose import goals, kpis, scorecards
from service.http.app import create_app
from service.http.auth import Keyring
from service.reports.making import Maker, Wish
from service.reports.rendering import render
from service.settings import Settings
from service.store.keys import create_key
from service.store.tenants import tenant_by_name
from service.telemetry import Telemetry
from tests.catalog.rollups import Observation, store
from tests.evaluate.stage import Stage, staged
from tests.evaluate.test_own_kpis import declare

CONFIG = """
[[target]]
kpi = "request_latency.share_within"
where = { limit_ms = 300 }
op = ">="
target = 0.9
limit = 0.75
[[target]]
kpi = "request_latency.share_within{limit_ms=1000,service=api}"
window = "1d"
op = ">="
target = 0.99
[[target]]
kpi = "feature_ratio{feature=export,of=dashboard}"
op = ">="
target = 0.5
[[target]]
kpi = "feature_ratio{feature=export,of=dashboard,count=users}"
op = ">="
target = 0.1
[[goal]]
kpi = "request_latency.share_within{limit_ms=300}"
op = ">="
target = 0.75
windows_in_a_row = 1
window = "day"
[scorecard.own]
rows = ["request_latency.share_within{limit_ms=300}", "request_latency.share_within{limit_ms=950}", "request_latency.p95"]
"""
MS = 1_000_000


@pytest.fixture
async def stage(database_url: str) -> AsyncIterator[Stage]:
    """Ten requests of now and of a day ago, eight of them within 300 ms and all within a second; uses of two features."""
    async with staged(database_url) as made:
        now_us = made.clock.now_us()
        async with made.pool.acquire() as connection:
            for at in (now_us, now_us - DAY):
                facts = [
                    Observation(at, {"service": "api", "status": "200"}, value=ms * MS, count=n) for ms, n in ((200, 8), (900, 2))
                ]
                await store(connection, made.tenant, "request", made.zone, facts)
            uses = [
                Observation(now_us, {"feature": name, "ok": "true"}, value=1_000_000_000, count=n)
                for name, n in (("export", 2), ("dashboard", 8))
            ]
            await store(connection, made.tenant, "usage", made.zone, uses)
            await made.touch(connection, [now_us - DAY, now_us])
        await declare(made, CONFIG)
        yield made


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    async with stage.pool.acquire() as connection:
        _, secret = await create_key(connection, await tenant_by_name(connection, "acme"), ["read"])
    catalog, settings = Catalog.load(), Settings()
    routers = [each.router(stage.pool, catalog, clock=stage.clock, settings=settings) for each in (kpis, scorecards)]
    routers.append(goals.router(stage.pool, catalog, clock=stage.clock))
    keyring = Keyring(stage.pool, stage.clock, refresh_s=5)
    app = create_app(title="t", routers=routers, telemetry=Telemetry("api"), keyring=keyring)
    headers = {"authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t", headers=headers) as made:
        yield made


async def asked(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = await client.get(f"/v1/{path}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def status(body: dict[str, Any]) -> tuple[float | None, float | None, str]:
    return body["value"], body["target"], body["status"]


async def test_the_answer_with_the_limit_of_a_target_has_its_status(client: httpx.AsyncClient) -> None:
    latency = "kpis/request_latency?window=1d&stat=share_within"
    assert status(await asked(client, f"{latency}&limit_ms=300")) == (0.8, 0.9, "yellow")
    assert status(await asked(client, f"{latency}&limit_ms=300.00")) == (0.8, 0.9, "yellow")
    assert status(await asked(client, f"{latency}&limit_ms=301")) == (0.8, None, "none")
    assert status(await asked(client, f"{latency}&limit_ms=1000&service=api")) == (1.0, 0.99, "green")
    assert status(await asked(client, f"{latency}&limit_ms=1000")) == (1.0, None, "none")
    assert status(await asked(client, "kpis/request_latency?window=24h&stat=share_within&limit_ms=1000&service=api"))[1] is None
    split = await asked(client, f"{latency}&limit_ms=300&by=service")
    assert [status(row) for row in split["rows"]] == [(0.8, 0.9, "yellow")]
    series = await asked(client, "kpis/request_latency/series?window=1d&step=1d&stat=share_within&limit_ms=300")
    assert status(series["points"][-1]) == (0.8, 0.9, "yellow")


def test_a_limit_is_in_milliseconds_whatever_the_unit_of_its_kpi() -> None:
    mttr = Catalog.load().kpis["mttr"]
    asked = question_of(mttr, {"severity": ("P1",), "limit_ms": ("3600000.0",)}, ("share_within",))
    assert asked.within == Fraction(3_600)
    assert asked.filters == {"severity": ("P1",)}
    assert choices_of(mttr, asked).chosen == {"limit_ms": "3600000"}
    config = TenantConfig.model_validate({"targets": [{"kpi": "mttr.share_within{limit_ms=3600000}", "op": ">=", "target": 0.9}]})
    found = judge(
        config, kpi="mttr", statistic="share_within", dims=asked.filters, window="7d", value=0.9, choices=choices_of(mttr, asked)
    )
    assert found.status is Status.GREEN
    assert judge(config, kpi="mttr", statistic="share_within", dims={}, window="7d", value=0.9).status is Status.NONE


async def test_a_target_that_leaves_a_choice_open_speaks_of_the_usual_one(client: httpx.AsyncClient) -> None:
    ratio = "kpis/feature_ratio?window=1d&feature=export&of=dashboard"
    assert status(await asked(client, ratio)) == (0.25, 0.5, "red")
    assert status(await asked(client, f"{ratio}&count=uses")) == (0.25, 0.5, "red")
    assert (await asked(client, f"{ratio}&count=users"))["target"] == 0.1
    assert (await asked(client, "kpis/feature_ratio?window=1d&feature=dashboard&of=export"))["target"] is None


async def test_scorecards_goals_and_reports_judge_it(stage: Stage, client: httpx.AsyncClient) -> None:
    card = await asked(client, "scorecards/own?window=1d")
    assert [status(row) for row in card["rows"]] == [
        (0.8, 0.9, "yellow"),
        (1.0, None, "none"),
        (card["rows"][2]["value"], None, "none"),
    ]
    assert (card["met"], card["judged"], card["state"]) == (0, 1, "yellow")
    [goal] = (await asked(client, "goals"))["goals"]
    assert (goal["goal"], goal["progress"]) == ("request_latency.share_within{limit_ms=300}", "met")
    report, _ = await Maker(stage.pool, Catalog.load(), stage.clock).make(stage.tenant, "acme", Wish("weekly", window="1d"))
    text = render(report, "md").decode()
    assert "share within a limit (limit_ms 300)" in text.split("Scorecard")[0]  # among what misses its target, too
