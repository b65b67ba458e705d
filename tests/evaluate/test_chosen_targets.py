"""A target of what somebody chooses, a limit or a parameter, judges the value that is asked for with it, and no other."""

from collections.abc import AsyncIterator, Mapping
from fractions import Fraction
from typing import Any

import httpx
import pytest

from service.catalog import Catalog
from service.catalog.choices import choices_of, question_of
from service.catalog.formulas import shape_of_kpi
from service.catalog.score_health import _goal
from service.catalog.windows import resolve_window
from service.clock import DAY
from service.domain.config import TenantConfig, parse
from service.domain.selector import parse_selector
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


def of_retention(
    config: TenantConfig, where: Mapping[str, tuple[str, ...]] | None = None, row: dict[str, str] | None = None
) -> float | None:
    """The target that judges a value of `retention` that is asked for with parameters and filters, in a row of a split."""
    kpi = Catalog.load().kpis["retention"]
    asked = question_of(kpi, where or {}, ("",))
    dims = {**asked.filters, **(row or {})}
    return judge(config, kpi="retention", dims=dims, window="28d", value=0.5, choices=choices_of(kpi, asked)).target


def targets_of(*targets: tuple[str, float]) -> TenantConfig:
    return TenantConfig.model_validate({"targets": [{"kpi": kpi, "op": ">=", "target": target} for kpi, target in targets]})


def test_a_value_of_an_age_is_judged_by_the_target_of_that_age() -> None:
    first = targets_of(("retention", 0.8))
    assert [of_retention(first, where) for where in (None, {"n": ("1",)}, {"age": ("1",)}, {"n": ("7",), "age": ("1",)})] == [
        0.8
    ] * 4
    assert [of_retention(first, where) for where in ({"n": ("7",)}, {"age": ("7",)}, {"age": ("1", "7")})] == [None] * 3
    assert [of_retention(first, row={"age": str(age)}) for age in range(4)] == [None, 0.8, None, None]
    of_a_week = targets_of(("retention", 0.8), ("retention{n=7}", 0.4), ("retention{age=30}", 0.2))
    assert [of_retention(of_a_week, row={"age": age}) for age in ("1", "7", "8", "30")] == [0.8, 0.4, None, 0.2]
    assert [of_retention(of_a_week, where) for where in ({"n": ("7",)}, {"age": ("7",)}, {"age": ("30",)})] == [0.4, 0.4, 0.2]
    assert of_retention(of_a_week, {"unit": ("month",)}, {"age": "1"}) is None


def test_numbers_that_are_the_same_are_one_choice() -> None:
    config = targets_of(("retention{n=030}", 0.4))
    assert [of_retention(config, {"n": (n,)}) for n in ("30", "030", "3")] == [0.4, 0.4, None]


def test_health_is_judged_by_a_target_that_names_the_usual_choice() -> None:
    kpi = Catalog.load().kpis["retention"]
    window = resolve_window(1, "UTC", now_us=100 * DAY, name="28d")
    for named, expected in (("retention{n=1}", 0.4), ("retention{n=7}", None)):
        goal = _goal(targets_of((named, 0.4)), kpi, parse_selector("retention"), window, "")
        usual = kpi.usual("")
        assert (goal.target if goal else None) == (expected or (usual.target if usual else None))


def test_a_dimension_of_an_operators_own_that_is_called_as_a_limit_is_none() -> None:
    config = targets_of(("own{limit_ms=fast}", 0.4))
    assert judge(config, kpi="own", dims={"limit_ms": "fast"}, window="28d", value=0.5).target == 0.4
    assert judge(config, kpi="own", dims={"limit_ms": "slow"}, window="28d", value=0.5).target is None


def test_several_numbers_may_stand_in_a_list() -> None:
    shapes = {name: shape_of_kpi(kpi) for name, kpi in Catalog.load().kpis.items()}
    config = parse(
        '[[target]]\nkpi = "error_rate"\nwhere = { status = [500, "502"] }\nop = "<="\ntarget = 0.1\n', known_kpis=shapes
    )
    assert [str(each.selector) for each in config.targets] == ["error_rate{status=500,502}"]
