"""The view of scorecards shows every declared row by window, judged as `/v1/scorecards` judges it."""

import json
import tomllib
from dataclasses import replace

import pytest

from service.catalog import Catalog
from service.clock import HOUR
from service.domain.config import TenantConfig
from service.evaluate.scorecards import Scorecards
from service.telemetry import Telemetry
from tests.evaluate.stage import Stage, staged

CONFIG = """
[[target]]
kpi = "error_rate"
op = "<="
target = 0.3
limit = 0.6
[[target]]
kpi = "requests"
where = { status = ["500", "503"] }
op = "<="
target = 3
limit = 5
[scorecard.sla]
critical = ["error_rate"]
rows = ["error_rate", "requests{status=500,503}", "error_rate{service=billing}"]
"""


async def declare(stage: Stage, text: str, version: int = 1) -> None:
    """Store a version that counts for ever, as the check would have found it."""
    config = TenantConfig.model_validate(tomllib.loads(text), by_alias=True).to_json()
    await stage.pool.execute("delete from config_version where tenant = $1", stage.tenant)
    await stage.pool.execute(
        "insert into config_version (tenant, version, source, parsed) values ($1, $2, '', $3)", stage.tenant, version, config
    )
    await stage.pool.execute("update tenant set config_version = $2 where id = $1", stage.tenant, version)


async def shown(stage: Stage) -> list[tuple[object, ...]]:
    rows = await stage.pool.fetch(
        "select place, row, is_critical, dimensions, value, target, limit_value, status, reason, unit from grafana.scorecard"
        " where window_name = '7d' order by scorecard, place"
    )
    return [(row["place"], row["row"], row["is_critical"], json.loads(row["dimensions"]), *list(row)[4:]) for row in rows]


def task(stage: Stage) -> Scorecards:
    return Scorecards(stage.pool, stage.catalog, stage.clock, Telemetry("test"))


async def test_every_declared_row_is_judged_also_one_that_chooses_several_values(database_url: str) -> None:
    async with staged(database_url) as stage:
        await declare(stage, CONFIG)
        now_us = stage.clock.now_us()
        await stage.requests([(now_us - HOUR, "200", 6), (now_us - HOUR, "500", 3), (now_us - HOUR, "503", 1)])
        await task(stage).once()
        assert await shown(stage) == [
            (1, "error_rate", True, {}, 0.4, 0.3, 0.6, "yellow", None, "ratio"),
            (2, "requests{status=500,503}", False, {"status": "500,503"}, 4, 3, 5, "yellow", None, "requests"),
            (3, "error_rate{service=billing}", False, {"service": "billing"}, None, 0.3, 0.6, "none", "no_data", "ratio"),
        ]
        windows = await stage.pool.fetchval("select array_agg(distinct window_name order by window_name) from grafana.scorecard")
        assert windows == ["28d", "7d", "month", "quarter", "week"]


async def test_a_tenant_is_looked_at_again_when_something_came_or_was_declared(database_url: str) -> None:
    async with staged(database_url) as stage:
        await declare(stage, CONFIG)
        scorecards = task(stage)
        now_us = stage.clock.now_us()
        await stage.requests([(now_us - HOUR, "200", 1)])
        await scorecards.once()
        assert (await shown(stage))[0][4] == 0
        kept = await stage.pool.fetch("select xmin::text, * from scorecard_latest")
        await scorecards.once()
        assert await stage.pool.fetch("select xmin::text, * from scorecard_latest") == kept, "nothing came"
        await stage.requests([(now_us - HOUR, "500", 1)])
        await scorecards.once()
        assert (await shown(stage))[0][4] == 0.5
        await declare(stage, '[scorecard.other]\nrows = ["requests"]', version=2)
        await scorecards.once()
        assert [(row[1], row[4], row[8]) for row in await shown(stage)] == [("requests", 2, "no_target")]


async def test_a_row_that_this_version_does_not_know_costs_the_others_nothing(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with staged(database_url) as stage:
        await declare(stage, '[scorecard.sla]\nrows = ["error_rate", "availability", "requests"]')
        await stage.requests([(stage.clock.now_us() - HOUR, "200", 1)])
        few = Catalog({name: stage.catalog.kpis[name] for name in ("error_rate", "requests")})
        await replace(task(stage), catalog=few).once()
        assert [row[:2] for row in await shown(stage)] == [(1, "error_rate"), (3, "requests")]
        assert not caplog.records
