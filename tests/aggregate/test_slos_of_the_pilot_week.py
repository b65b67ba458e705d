"""The pilot week through the aggregator: every SLO to the last request and second, and no counter fed by history."""

import json
from datetime import UTC, datetime
from fractions import Fraction

import pytest

from service.catalog import Catalog, Question, declared_of, resolve_window, run
from service.clock import DAY, to_datetime, to_us
from service.demo import pilot
from service.ingest.decode import Decoder, Form, Stamp
from service.store.config import apply_config, load_configs
from service.store.partitions import ensure_partitions
from tests.aggregate.conftest import Site
from tests.aggregate.test_customers import LIMITS

ZONE = "Europe/Berlin"
"""Of the site's tenant."""
REQUEST, PROBE = "io.tidegauge.request.v1", "io.tidegauge.probe.v1"
DECLARED = """
[[slo]]
name = "up"
kind = "availability"
objective = 0.999
[[slo]]
name = "answers"
kind = "request_success"
objective = 0.999
window = "28d"
[[slo]]
name = "fast"
kind = "request_latency"
limit_ms = 500
objective = 0.99
"""


async def test_the_pilot_week_gives_the_slos_that_its_events_do_one_by_one(site: Site) -> None:
    monday = pilot.week_before(to_datetime(site.clock.now_us()))
    events = list(pilot.events([REQUEST, PROBE], monday=monday))
    catalog = Catalog.load()
    async with site.pool.acquire() as connection:
        now_us = site.clock.now_us()
        await ensure_partitions(connection, now_us=now_us, settings=site.settings)
        await apply_config(connection, "acme", DECLARED, now_us=now_us, known_kpis=catalog.shapes())
    decoder = Decoder(site.hasher, LIMITS)
    stamp = Stamp(tenant=site.tenant, received_us=site.clock.now_us(), backfill=True)
    for start in range(0, len(events), 1_000):
        body = "\n".join(json.dumps(event) for event in events[start : start + 1_000]).encode()
        await site.take(decoder.decode(body, Form.NDJSON, stamp))
    await site.consume()

    requests = {(each["source"], each["id"]): each["data"] for each in events if each["type"] == REQUEST}.values()
    total = sum(each.get("count", 1) for each in requests)
    fast = sum(each.get("count", 1) for each in requests if each["latency_ms"] <= 500)
    bad = pilot.expected()["requests"]["errors_by_status"]["500"]
    assert total == pilot.expected()["requests"]["week"]
    # From midnight to midnight in UTC, as the pilot's figures are; the tenant's own days begin elsewhere.
    end_us = to_us(datetime(monday.year, monday.month, monday.day, tzinfo=UTC)) + 7 * DAY
    week = resolve_window(site.tenant, ZONE, now_us=site.clock.now_us(), start_us=end_us - 7 * DAY, end_us=end_us, key="week")
    async with site.pool.acquire() as connection:
        config = (await load_configs(connection, [site.tenant]))[site.tenant].newest
        known = {site.tenant: declared_of(config)}
        found = await run(connection, catalog.kpis["slo"], [week], Question(by=("slo",), statistics=("",)), declared=known)
        compliance = {each.dims["slo"]: each for each in found}
        budget = Question(by=("slo",), statistics=("", "spent"))
        found = await run(connection, catalog.kpis["error_budget"], [week], budget, declared=known)
        spent = {each.dims["slo"]: each.value for each in found if each.statistic == "spent"}
        counted = await connection.fetchval("select sum(total) from slo_counter")
    assert (compliance["answers"].numerator, compliance["answers"].denominator) == (total - bad, total)
    assert (compliance["fast"].numerator, compliance["fast"].denominator) == (fast, total)
    assert compliance["up"].value == pytest.approx(pilot.expected()["availability"]["week"])
    assert spent["answers"] == pytest.approx(bad / (total * 0.001))
    assert spent["fast"] == pytest.approx(float(Fraction(total - fast, total) * 100))
    assert spent["up"] == pytest.approx((1 - pilot.expected()["availability"]["week"]) * 1_000)
    assert counted == 0
