"""Counters that Prometheus first sees when they have grown: what they began with is told of, and what is long past is not."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from service.telemetry import Telemetry
from tests.rules.promtool import Case, Check, everywhere, run_cases
from tests.rules.told import group
from tests.rules.watches import of

LONG_AGO = -10_000_000
"""Before all that Prometheus knows, in seconds."""
TENANTS_RULES = group("slo") | group("tenant-acme-slo") | group("tenant-plain-slo")


def counters(slo: str, total: str, good: str, created: str = "", *, tenant: str = "acme") -> dict[str, str]:
    """The counters of an SLO, and since when they have counted ("": they do not say)."""
    labels = f'tenant="{tenant}",slo="{slo}"'
    found = everywhere("tidegauge_slo_events_total", labels, total) | everywhere("tidegauge_slo_good_events_total", labels, good)
    return found | (everywhere("tidegauge_slo_events_created", labels, created) if created else {})


def pages(slo: str, series: Mapping[str, str], checks: list[Check], *, tenant: str = "acme") -> Case:
    """Whether the page of an SLO's last hour fires."""
    rule = {"tenant": tenant, "slo": slo, "burn_window": "1h"}
    return Case("ErrorBudgetBurnsFast", rule, (), series, checks)


def test_an_slo_that_is_first_seen_when_it_has_failed_pages_though_its_siblings_were_seen_before(tmp_path: Path) -> None:
    # It is declared half a minute after the scrape of minute 89, and half of its first 1,000 events fail before the next one.
    sibling = counters("month", "100000+1000x160", "100000+1000x160", f"{LONG_AGO}x160")
    late = counters("api", "_x90 1000x70", "_x90 500x70", "_x90 5370x70")
    # And one that stands at 0 first is told of as before.
    early = counters("quarter", "_x80 0x9 1000x70", "_x80 0x9 50x70", "_x80 4770x80")
    cases = [
        pages("api", late, [Check(89), Check(90, 1), Check(94, 1), Check(97)]),
        pages("quarter", early, [Check(89), Check(90, 1)]),
        pages("month", sibling, [Check(90), Check(150)]),
    ]
    run_cases(tmp_path, TENANTS_RULES, cases)


def test_a_prometheus_that_has_just_begun_pages_nobody_for_what_old_counters_show(tmp_path: Path) -> None:
    # Half of all that they ever counted went wrong, and nothing does now.
    fresh = counters("api", "200000+1000x100", "100000+1000x100", f"{LONG_AGO}x100")
    untold = counters("month", "200000+1000x100", "100000+1000x100")
    back = counters("quarter", "_x40 200000+1000x60", "_x40 100000+1000x60", f"_x40 {LONG_AGO}x60")
    # Prometheus is away for twenty minutes, and what grew meanwhile was well.
    again = counters(
        "up", "200000+1000x40 _x19 260000+1000x40", "100000+1000x40 _x19 160000+1000x40", f"{LONG_AGO}x40 _x19 {LONG_AGO}x40"
    )
    minutes = (0, 1, 5, 39, 40, 41, 45, 60, 61, 65, 99)
    silent: list[tuple[int, str, list[tuple[str, float]]]] = [(at, 'count(ALERTS{alertstate="firing"})', []) for at in minutes]
    run_cases(tmp_path, TENANTS_RULES, [Case("none", {}, (), fresh | untold | back | again, (), others=silent)])


def test_the_ratio_of_a_young_slo_is_of_all_that_it_counted_and_goes_over_into_what_was_seen(tmp_path: Path) -> None:
    # 600 events before the first scrape, all wrong; then ten a minute, all good.
    ratio, events = "tenant_slo:tidegauge_slo_errors:ratio_rate1h", "tenant_slo:tidegauge_slo_events:increase1h"
    series = counters("api", "_x10 600+10x80", "_x10 0+10x80", "_x10 570x80")
    labels = "{slo='api', tenant='acme'}"
    asked = [
        (10, ratio, [(f"{ratio}{labels}", 1.0)]),
        (69, events, [(f"{events}{labels}", 1_190.0)]),
        (69, f"round({ratio}, 0.001)", [(labels, 0.504)]),
        # The hour from minute 10 on: what came before is past.
        (70, f"round({events})", [(labels, 600.0)]),
        (70, ratio, [(f"{ratio}{labels}", 0.0)]),
    ]
    run_cases(tmp_path, group("slo"), [Case("none", {}, (), series, (), others=asked)])


WELL = of("tidegauge_aggregate_events_total", 'outcome="stored"', "0+1000x60")
ANSWERED = of("tidegauge_http_request_duration_seconds_count", 'code="202"', "0+96x60")
BEGINNINGS = {
    "DeadLettersRise": ("tidegauge_dead_letters", "_total", 'reason="too_late"', 300, 5, WELL),
    "ApiAnswersErrors": ("tidegauge_http_request_duration_seconds", "_count", 'code="503"', 40, 2, ANSWERED),
    "FlushesFail": ("tidegauge_flush_failures", "_total", 'cause="store"', 6, 5, {}),
    "EvaluationsFail": ("tidegauge_evaluation_failures", "_total", 'kpi="nps"', 1, 5, {}),
    "SourceRecordsLost": ("tidegauge_source_lost_records", "_total", 'topic="orders",partition="0"', 5, 0, {}),
    "NamesOverLimit": ("tidegauge_names_over_limit", "_total", 'kind="feature"', 7, 0, {}),
}
"""By alert: its counter, what that shows when it is first seen, after how many minutes that is told, what else there is."""


@pytest.mark.parametrize("created", ["20 minutes on", "long ago"])
def test_the_service_tells_of_what_a_counter_begins_with_and_of_nothing_that_is_long_past(created: str, tmp_path: Path) -> None:
    cases = []
    for alert, (family, suffix, labels, value, lasts, beside) in BEGINNINGS.items():
        since = 20 * 60 - 15 if created == "20 minutes on" else LONG_AGO
        series = of(family + suffix, labels, f"_x20 {value}x40") | of(f"{family}_created", labels, f"_x20 {since}x40") | beside
        fires = [Check(19), Check(20 + lasts, 1)] if since > 0 else [Check(minute) for minute in range(20, 60, 5)]
        cases.append(Case(alert, {}, (), series, fires))
    run_cases(tmp_path, group("itself"), cases)


def test_failures_of_a_process_that_is_started_again_and_again_are_added_up(tmp_path: Path) -> None:
    # Twice two and twice two more, each time by another process; the youngest has two.
    labels = 'cause="store"'
    series = of("tidegauge_flush_failures_total", labels, "0x9 2x2 0 2x2 0 2x2 0 2x40")
    series |= of("tidegauge_flush_failures_created", labels, "0x9 0x2 750x3 930x3 1110x41")
    run_cases(tmp_path, group("itself"), [Case("FlushesFail", {}, (), series, [Check(19), Check(25, 1)])])


def test_counters_and_histograms_of_the_service_say_since_when_they_count() -> None:
    telemetry = Telemetry("test")
    telemetry.names_over_limit.labels("feature").inc()
    telemetry.http_requests.labels("/v1/events", "POST", "503").observe(0.1)
    shown = {line.partition(" ")[0] for line in generate_latest(telemetry.registry).decode().splitlines()}
    assert 'tidegauge_names_over_limit_created{kind="feature"}' in shown
    assert 'tidegauge_http_request_duration_seconds_created{code="503",method="POST",route="/v1/events"}' in shown
