"""The pilot's configuration brings out the pilot's own judgements."""

from pathlib import Path
from typing import Any

import pytest

from service.catalog import Catalog
from service.demo import pilot
from service.domain.config import TenantConfig, parse
from service.domain.scorecard import ScorecardRow, summarise
from service.domain.selector import parse_selector
from service.domain.targets import Judgement, judge
from tests.config.shapes import SHAPES

EXPECTED = pilot.expected()
EXAMPLE = (Path(__file__).parent / "example.toml").read_text()
USAGE = "io.tidegauge.usage.v1"
PROBE = "io.tidegauge.probe.v1"
SECONDS = 60.0

ROWS = {
    "availability": ("availability", EXPECTED["availability"]["week"], 1.0),
    "request_latency_p95_ms": ("request_latency.p95", EXPECTED["requests"]["latency_ms"]["p95"], 1.0),
    "page_load_p95_s": (
        "meter.p95{meter=page_load.dashboard}",
        EXPECTED["measurements"]["page_load.dashboard"]["p95"],
        1.0,
    ),
    "error_rate": ("error_rate", EXPECTED["requests"]["error_rate"], 1.0),
    "mttr_p2_minutes": ("mttr.mean{severity=P2}", EXPECTED["incidents"]["mttr_minutes"]["P2"], SECONDS),
    "p0_p1_incidents": (
        "incidents{severity=P0,P1}",
        EXPECTED["incidents"]["by_severity"]["P0"] + EXPECTED["incidents"]["by_severity"]["P1"],
        1.0,
    ),
}
EXAMPLES = {
    "wau_share_of_provisioned": ("wau_share", EXPECTED["wau_share_of_provisioned"], 1.0),
    "ttfv_mean_minutes": ("time_to_first_value.mean", EXPECTED["ttfv_minutes"]["mean"], SECONDS),
} | {
    f"feature_adoption.{feature}": (f"feature_adoption{{feature={feature}}}", EXPECTED["feature_adoption"][feature], 1.0)
    for feature in ("csv_export", "vis", "audit_mode")
}
"""By the name that the expectations give: selector, figure, and how many of the KPI's units one of theirs is."""


@pytest.fixture(name="config")
def pilot_config() -> TenantConfig:
    return parse(pilot.configuration(), known_kpis=SHAPES)


def judged(config: TenantConfig, selector: str, value: float) -> Judgement:
    """The judgement of the pilot's week."""
    named = parse_selector(selector)
    return judge(config, kpi=named.kpi, statistic=named.statistic, dims=named.where, window="week", value=value)


@pytest.mark.parametrize("name", EXPECTED["sla_scorecard"]["rows"])
def test_each_row_of_the_pilots_scorecard_comes_out(config: TenantConfig, name: str) -> None:
    op, target, status = EXPECTED["sla_scorecard"]["rows"][name]
    selector, figure, unit = ROWS[name]
    found = judged(config, selector, figure * unit)
    assert (found.op, found.target, found.status.value) == (op, target * unit, status)


@pytest.mark.parametrize("name", EXPECTED["status_examples_target_limit"])
def test_each_status_with_a_limit_comes_out(config: TenantConfig, name: str) -> None:
    op, target, limit, status = EXPECTED["status_examples_target_limit"][name]
    selector, figure, unit = EXAMPLES[name]
    found = judged(config, selector, figure * unit)
    assert (found.op, found.target, found.limit, found.status.value) == (op, target * unit, limit * unit, status)


def test_the_pilots_scorecard_is_met_as_a_whole(config: TenantConfig) -> None:
    scorecard = config.scorecards["sla"]
    figures = {selector: figure * unit for selector, figure, unit in ROWS.values()}
    assert list(scorecard.rows) == list(figures)
    rows = [ScorecardRow(selector, judged(config, selector, figures[selector]).status) for selector in scorecard.rows]
    summary = summarise(rows, scorecard.critical)
    assert (summary.met, summary.judged) == (EXPECTED["sla_scorecard"]["met"], EXPECTED["sla_scorecard"]["of"])
    assert summary.state.value == "green"


def test_the_catalog_has_every_kpi_that_the_pilot_and_the_example_name(config: TenantConfig) -> None:
    shapes = Catalog.load().shapes()
    assert parse(pilot.configuration(), known_kpis=shapes) == config
    assert parse(EXAMPLE, known_kpis=shapes) == parse(EXAMPLE, known_kpis=SHAPES)


def test_what_the_pilot_declares_is_what_its_events_name(config: TenantConfig) -> None:
    events: list[dict[str, Any]] = list(pilot.events([USAGE, PROBE]))
    used = {event["data"]["feature"] for event in events if event["type"] == USAGE}
    probed = {event["data"]["component"] for event in events if event["type"] == PROBE}
    assert set(config.features) <= used
    assert set(config.features) == set(EXPECTED["heatmap"])
    assert set(config.components) == probed
    assert config.features_of("export") == ("csv_export", "pdf_export")
    assert config.activity.business_days_only == ("average_dau", "stickiness_weekly")
    assert config.timezone == EXPECTED["window"]["timezone"]
