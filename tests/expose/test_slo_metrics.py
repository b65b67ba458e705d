"""Prometheus sees each SLO as two counters that only grow and an objective."""

from prometheus_client.parser import text_string_to_metric_families

from service.catalog import Catalog
from service.expose import live
from service.store import slo_counters
from tests.catalog.rollups import make_tenant
from tests.evaluate.stage import staged
from tests.expose.test_metrics import app_of, lint, speaking


async def test_slos_are_counters_with_their_objective_and_promtool_likes_them(database_url: str) -> None:
    async with staged(database_url) as stage:
        async with stage.pool.acquire() as connection:
            other = await make_tenant(connection, "umbrella")
            declared = [(stage.tenant, 'up "here"', 0.999), (stage.tenant, "on-time", 0.95), (other, "on-time", 0.9)]
            await slo_counters.declare(connection, [stage.tenant, other], declared)
            await connection.execute(
                "update slo_counter set good = 3, total = 4 where slo = 'on-time' and tenant = $1", stage.tenant
            )
            await connection.execute("insert into slo_counter values ($1, 'gone', 1, 1)", stage.tenant)
        async with speaking(app_of(stage)) as client:
            answer = await client.get("/metrics/kpis")
    assert lint(answer.text) == ""
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    events, good = families["tidegauge_slo_events"], families["tidegauge_slo_good_events"]
    assert (events.type, good.type) == ("counter", "counter")
    seen = {(each.labels["tenant"], each.labels["slo"]): each.value for each in events.samples}
    assert seen == {("acme", "on-time"): 4, ("acme", 'up "here"'): 0, ("umbrella", "on-time"): 0}
    assert {each.value for each in good.samples} == {3, 0}
    objectives = families["tidegauge_slo_objective_ratio"].samples
    assert {each.labels["slo"]: each.value for each in objectives if each.labels["tenant"] == "acme"} == {
        "on-time": 0.95,
        'up "here"': 0.999,
    }


def test_an_exposition_without_slos_has_none() -> None:
    text = live.exposition([], Catalog(), {}, max_series=10).decode()
    assert "tidegauge_slo_events_total{" not in text
