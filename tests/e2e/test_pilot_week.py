"""The pilot week: every figure that its families decide comes out, over HTTP, by import and from a topic, through either log."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from service.demo import pilot
from service.demo.client import Client
from service.domain.families.registry import FAMILIES
from tests.e2e import topics
from tests.e2e.harness import Installation, kafka_settings, send

TYPES = tuple(family.type for family in FAMILIES)
EXPECTED = pilot.expected()
END = "2025-11-24T00:00:00Z"
BOUNDS = {"start": "2025-11-17T00:00:00Z", "end": END, "step": "1d"}
TOLERANCE = EXPECTED["tolerance"]
MINUTE_S, HOUR_S = 60, 3_600

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module", params=["http", "import", "http through kafka", "topic", "topic and http through kafka"])
def ask(
    request: pytest.FixtureRequest, make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ask]:
    """Ask for a KPI of the pilot's week, which was sent in one of the ways."""
    way, _, log = request.param.partition(" through ")
    settings = kafka_settings(request.getfixturevalue("kafka")) if log else {}
    topic = topics.made(request.getfixturevalue("kafka"), partitions=3) if "topic" in way else None
    if topic:
        settings |= topics.settings(topic)
    with Installation(make_database(), tmp_path_factory.mktemp("pilot"), **settings) as installation:
        installation.start_all()
        client = installation.tenant("pilot")
        declared = installation.directory / "pilot.toml"
        declared.write_text(pilot.configuration() + (topics.bound(topic, backfill=True) if topic else ""))
        installation.run("apply", "--tenant", "pilot", str(declared))
        events = list(pilot.events(TYPES))
        sent = len(events)
        if topic:
            installation.start("source")
            topics.send(topic, events)
        if way == "topic and http":
            sent += client.send(events)
        if topic:
            topics.wait_until_consumed(client, sent)
        elif way == "http":
            assert send(client, events) == len(events)
        else:
            random.Random(11).shuffle(events)
            file = installation.directory / "week.ndjson"
            file.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in events))
            installation.run("import", "--tenant", "pilot", str(file))
            client.settle(timeout_s=300, poll_s=0.05)

        def get(path: str, **parameters: str) -> dict[str, Any]:
            whole = {"window": "week", "end": END} | parameters
            body: dict[str, Any] = client.get(path if path.startswith("/") else f"/v1/kpis/{path}", **whole)
            return body

        get.client = client  # type: ignore[attr-defined]
        get.installation = installation  # type: ignore[attr-defined]
        get.sent = sent  # type: ignore[attr-defined]
        yield get


def daily(ask: Ask, kpi: str, **parameters: str) -> list[dict[str, Any]]:
    client: Client = ask.client  # type: ignore[attr-defined]
    points: list[dict[str, Any]] = client.get(f"/v1/kpis/{kpi}/series", **BOUNDS, **parameters)["points"]
    return points


def by(body: dict[str, Any], *names: str) -> dict[Any, float]:
    """Values of the rows that are split by these dimensions."""
    return {
        (row["dims"][names[0]] if len(names) == 1 else tuple(row["dims"][name] for name in names)): row["value"]
        for row in body["rows"]
        if set(names) <= set(row["dims"])
    }


def ratio(wanted: float) -> Any:
    return pytest.approx(wanted, abs=TOLERANCE["ratios"])


def mean(wanted: float) -> Any:
    return pytest.approx(wanted, rel=TOLERANCE["means_relative"])


def percentile(wanted: float) -> Any:
    return pytest.approx(wanted, rel=TOLERANCE["latency_percentiles_relative"])


def test_the_week_has_its_active_users(ask: Ask) -> None:
    assert [point["value"] for point in daily(ask, "dau")] == EXPECTED["dau"]
    assert ask("wau")["value"] == EXPECTED["wau"]
    assert ask("average_dau", days="business")["value"] == mean(EXPECTED["average_dau_business_days"])
    assert ask("average_dau", days="all")["value"] == mean(EXPECTED["average_dau_all_days"])
    assert ask("average_dau")["value"] == mean(EXPECTED["average_dau_business_days"])
    assert ask("stickiness_weekly")["value"] == ratio(EXPECTED["stickiness_business_days"])
    share = ask("wau_share")
    assert share["value"] == ratio(EXPECTED["wau_share_of_provisioned"])
    assert (share["numerator"], share["denominator"]) == (EXPECTED["users"]["logged_in"], EXPECTED["users"]["provisioned"])
    assert ask("new_users")["value"] == EXPECTED["wau"]


def test_the_week_has_its_features(ask: Ask) -> None:
    features = ",".join(EXPECTED["feature_adoption"])
    found = by(ask("feature_adoption", by="feature", feature=features), "feature")
    assert found == {name: ratio(wanted) for name, wanted in EXPECTED["feature_adoption"].items()}
    cells = by(ask("feature_heatmap", by="feature,weekday"), "feature", "weekday")
    for name, row in EXPECTED["heatmap"].items():
        assert [cells.get((name, str(day)), 0) for day in range(1, 8)] == row
    totals = by(ask("feature_heatmap", by="feature", stat="total"), "feature")
    assert {name: totals[name] for name in EXPECTED["heatmap_totals"]} == EXPECTED["heatmap_totals"]


def test_features_and_groups_have_their_users_by_account(ask: Ask) -> None:
    wanted = {
        (account, feature): users
        for account, row in EXPECTED["feature_users_by_account"].items()
        for feature, users in row.items()
    }
    features = ",".join({feature for _, feature in wanted})
    found = by(ask("feature_users", by="account,feature", feature=features), "account", "feature")
    assert {key: found.get(key, 0) for key in wanted} == wanted


def test_accounts_are_activated_in_time(ask: Ask) -> None:
    wanted = EXPECTED["accounts"]
    share = ask("account_activation")
    assert (share["numerator"], share["denominator"]) == (wanted["activated"], wanted["invited"])
    assert share["value"] == ratio(wanted["activation_rate"])
    assert ask("time_to_activation", stat="mean")["value"] == mean(wanted["time_to_activation_hours_mean"] * HOUR_S)


def test_users_come_as_far_as_they_do(ask: Ask) -> None:
    wanted = EXPECTED["users"]
    activated = ask("user_activation")
    assert (activated["numerator"], activated["denominator"]) == (wanted["logged_in"], wanted["provisioned"])
    assert ask("first_value_achieved")["numerator"] == wanted["achieved_first_value"]
    steps = by(ask("funnel", by="step", funnel="pilot"), "step")
    assert steps["users_provisioned"] == wanted["provisioned"]
    assert ask("returning_users")["value"] + ask("resurrected_users")["value"] + ask("new_users")["value"] == ask("wau")["value"]


def test_the_funnel_has_every_step_and_its_share(ask: Ask) -> None:
    counts = by(ask("funnel", by="step", funnel="pilot"), "step")
    shares = by(ask("funnel", by="step", funnel="pilot", stat="share"), "step")
    drops = by(ask("funnel", by="step", funnel="pilot", stat="drop"), "step")
    for step, (count, base, share) in EXPECTED["funnel"].items():
        assert counts[step] == count
        assert shares[step] == ratio(share)
        assert drops[step] == ratio(1 - share)
        assert base is None or shares[step] == ratio(counts[step] / counts[base])


def test_what_nobody_sends_is_derived_of_first_uses(ask: Ask) -> None:
    took = by(ask("time_to_milestone", by="milestone", stat="count"), "milestone")
    assert took["first_value"] == EXPECTED["users"]["achieved_first_value"]
    assert took["first_report"] == EXPECTED["funnel"]["users_report"][0]
    assert took["first_export"] == EXPECTED["funnel"]["users_exported"][0]


def test_users_reach_their_first_value_in_time(ask: Ask) -> None:
    wanted = EXPECTED["ttfv_minutes"]
    assert ask("time_to_first_value", stat="mean")["value"] == mean(wanted["mean"] * MINUTE_S)
    assert ask("time_to_first_value", stat="p95")["value"] == mean(wanted["p95_interpolated"] * MINUTE_S)
    by_account = by(ask("time_to_first_value", stat="mean", by="account"), "account")
    assert by_account == {account: mean(minutes * MINUTE_S) for account, minutes in wanted["mean_by_account"].items()}
    achieved = ask("first_value_achieved")
    assert achieved["value"] == ratio(EXPECTED["users"]["achieved_share"])
    assert (achieved["numerator"], achieved["denominator"]) == (
        EXPECTED["users"]["achieved_first_value"],
        EXPECTED["users"]["logged_in"],
    )


def test_the_platform_was_up_as_long_as_it_was(ask: Ask) -> None:
    assert ask("availability")["value"] == ratio(EXPECTED["availability"]["week"])
    assert ask("downtime")["value"] == EXPECTED["availability"]["downtime_minutes"] * MINUTE_S
    found = [point["value"] for point in daily(ask, "availability")]
    assert found == [ratio(wanted) for wanted in EXPECTED["availability"]["daily"]]


def test_every_request_is_counted_with_its_latency(ask: Ask) -> None:
    wanted = EXPECTED["requests"]
    assert [point["value"] for point in daily(ask, "requests")] == wanted["daily"]
    assert ask("requests")["value"] == wanted["week"]
    assert [point["numerator"] for point in daily(ask, "error_rate")] == wanted["errors_daily"]
    rate = ask("error_rate")
    assert (rate["numerator"], rate["value"]) == (wanted["errors_week"], ratio(wanted["error_rate"]))
    statuses = by(ask("requests", by="status"), "status")
    assert {status: statuses[status] for status in wanted["errors_by_status"]} == wanted["errors_by_status"]
    assert [point["value"] for point in daily(ask, "request_latency", stat="mean")] == [
        mean(value) for value in wanted["latency_ms_mean_daily"]
    ]
    assert ask("request_latency", stat="mean")["value"] == mean(wanted["latency_ms"]["mean"])
    for name in ("p95", "p99"):
        assert ask("request_latency", stat=name)["value"] == percentile(wanted["latency_ms"][name])


def test_incidents_have_their_times(ask: Ask) -> None:
    wanted = EXPECTED["incidents"]
    for severity, count in wanted["by_severity"].items():
        assert ask("incidents", severity=severity)["value"] == count
    assert ask("false_positives")["value"] == wanted["false_positives"]
    for kpi in ("mttd", "mttr"):
        for severity, minutes in wanted[f"{kpi}_minutes"].items():
            found = ask(kpi, stat="mean", severity=severity)
            assert found["value"] == (None if minutes is None else mean(minutes * MINUTE_S))
            assert minutes is not None or (found["status"], found["reason"]) == ("none", "no_data")


def test_tickets_are_counted_by_category_and_timed(ask: Ask) -> None:
    wanted = EXPECTED["tickets"]
    tickets = ask("tickets", by="category")
    assert tickets["value"] == wanted["count"]
    assert by(tickets, "category") == wanted["by_category"]
    assert ask("resolution_time", stat="mean")["value"] == mean(wanted["resolution_hours_mean"] * HOUR_S)
    assert ask("open_tickets", window="1h")["value"] == 0


def test_meters_have_their_statistics(ask: Ask) -> None:
    for meter, statistics in EXPECTED["measurements"].items():
        for statistic, wanted in statistics.items():
            found = ask("meter", meter=meter, stat=statistic)["value"]
            assert found == (percentile(wanted) if statistic.startswith("p") else mean(wanted))


def test_the_scorecard_says_what_the_pilot_said(ask: Ask) -> None:
    names = {
        "availability": "availability",
        "request_latency_p95_ms": "request_latency.p95",
        "page_load_p95_s": "meter.p95{meter=page_load.dashboard}",
        "error_rate": "error_rate",
        "mttr_p2_minutes": "mttr.mean{severity=P2}",
        "p0_p1_incidents": "incidents{severity=P0,P1}",
    }
    wanted = EXPECTED["sla_scorecard"]
    body = ask("/v1/scorecards/sla")
    assert (body["met"], body["judged"]) == (wanted["met"], wanted["of"])
    rows = {row["row"]: (row["op"], row["status"]) for row in body["rows"]}
    assert rows == {names[name]: (op, status) for name, (op, _, status) in wanted["rows"].items()}


def test_values_are_judged_as_the_pilot_judged_them(ask: Ask) -> None:
    asked: dict[str, tuple[str, dict[str, str]]] = {
        "wau_share_of_provisioned": ("wau_share", {}),
        "feature_adoption.csv_export": ("feature_adoption", {"feature": "csv_export"}),
        "feature_adoption.vis": ("feature_adoption", {"feature": "vis"}),
        "feature_adoption.audit_mode": ("feature_adoption", {"feature": "audit_mode"}),
        "ttfv_mean_minutes": ("time_to_first_value", {"stat": "mean"}),
    }
    wanted = EXPECTED["status_examples_target_limit"]
    found = {name: ask(kpi, **parameters)["status"] for name, (kpi, parameters) in asked.items()}
    assert found == {name: row[-1] for name, row in wanted.items()}


def test_the_ledger_accounts_for_every_event(ask: Ask) -> None:
    installation: Installation = ask.installation  # type: ignore[attr-defined]
    events = list(pilot.events(TYPES))
    unique = {(event["source"], event["id"]) for event in events}
    rows = ask.client.get("/v1/ledger")["rows"]  # type: ignore[attr-defined]
    assert sum(row["stored"] for row in rows) == len(unique)
    sent: int = ask.sent  # type: ignore[attr-defined]
    assert sum(row["duplicate"] for row in rows) == sent - len(unique)
    assert sum(row["dead_lettered"] for row in rows) == 0
    assert installation.run("check").returncode == 0
