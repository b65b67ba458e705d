"""What the folds promise, case by case."""

import itertools
import json

import polars as pl
import pytest

from service.aggregate.context import FoldContext
from service.aggregate.folds import FOLDS, merge
from service.clock import DAY
from service.domain.families.rows import (
    DeliveryRow,
    IncidentRow,
    MeasurementRow,
    ProbeRow,
    RequestRow,
    UsageRow,
    UserRow,
)
from service.domain.foldconfig import FoldConfig
from tests.columns import columns
from tests.folds.building import NOON, days, declares, fold, row, us
from tests.folds.reading import seconds

MS = 1_000_000
LIMITED = FoldConfig(limit_ns={"benevity": 500 * MS})


def _with_pairs(measured: MeasurementRow, pairs: list[tuple[str, str]]) -> pl.DataFrame:
    """The columns of a row whose attributes are these pairs, keys repeated as admission may leave them."""
    frame = columns("measurement", [measured])
    said = [{"key": key, "value": value} for key, value in pairs]
    return frame.with_columns(pl.Series("attributes", [said], dtype=frame.schema["attributes"]))


def test_an_event_of_many_requests_counts_as_many() -> None:
    fact = days(fold("request", row(RequestRow, service="api", status=200, latency_ns=7, count=10**9)))
    assert list(fact) == [("request", '{"service":"api","status":"200"}')]
    made = fact["request", '{"service":"api","status":"200"}']
    assert (made["n"], made["total"], made["least"], made["greatest"]) == (10**9, 7 * 10**9, 7, 7)


def test_a_timeout_has_no_status_but_its_own_name() -> None:
    made = fold("request", row(RequestRow, service="api", timeout=True, latency_ns=1), row(RequestRow, service="api", status=504))
    assert {json.loads(dims)["status"] for _, dims in days(made)} == {"timeout", "504"}


def test_sums_past_64_bits_are_exact() -> None:
    longest = 400 * 86_400 * 10**9
    rows = [row(RequestRow, service="api", status=200, latency_ns=longest - i, count=10**9) for i in range(1_000)]
    (fact,) = days(fold("request", *rows)).values()
    assert fact["total"] == sum((longest - i) * 10**9 for i in range(1_000))


def test_a_delivery_within_its_limit_is_on_time_to_the_nanosecond() -> None:
    for latency, said in ((500 * MS, "true"), (500 * MS + 1, "false")):
        delivered = row(DeliveryRow, delivery="d", integration="benevity", outcome="delivered", latency_ns=latency)
        ((_, dims),) = days(fold("delivery", delivered, context=declares(LIMITED)))
        assert json.loads(dims)["on_time"] == said
        assert json.loads(dims)["limited"] == "true"


def test_the_limit_of_a_delivery_itself_comes_before_the_integrations() -> None:
    own = row(DeliveryRow, delivery="d", integration="benevity", outcome="delivered", latency_ns=5, limit_ns=4)
    ((_, dims),) = days(fold("delivery", own, context=declares(LIMITED)))
    assert json.loads(dims)["on_time"] == "false"


def test_a_delivery_is_judged_by_the_limit_of_its_own_time() -> None:
    context = declares(LIMITED, FoldConfig(limit_ns={"benevity": 100 * MS}), valid_from=("2025-11-21T00:00:00+00:00",))
    steps = [
        row(DeliveryRow, at, delivery=at, integration="benevity", outcome="delivered", latency_ns=200 * MS)
        for at in ("2025-11-20T23:59:59.999999+00:00", "2025-11-21T00:00:00+00:00")
    ]
    facts = days(fold("delivery", *steps, context=context))
    assert sorted((fact["bucket"], json.loads(dims)["on_time"]) for (_, dims), fact in facts.items()) == [
        (us("2025-11-20T00:00:00+00:00") // DAY, "true"),
        (us("2025-11-21T00:00:00+00:00") // DAY, "false"),
    ]


def test_a_delivery_that_failed_is_under_its_limit_but_never_on_time() -> None:
    failed = row(DeliveryRow, delivery="d", integration="benevity", outcome="failed", latency_ns=1, attempt=2, exhausted=True)
    ((kind, dims),) = days(fold("delivery", failed, context=declares(LIMITED)))
    assert kind == "delivery"
    assert json.loads(dims) == {
        "integration": "benevity",
        "direction": "inbound",
        "outcome": "failed",
        "retried": "true",
        "limited": "true",
        "exhausted": "true",
    }


def test_without_a_limit_nothing_is_said_of_time() -> None:
    delivered = row(DeliveryRow, delivery="d", integration="sap", outcome="delivered", latency_ns=1)
    ((_, dims),) = days(fold("delivery", delivered, context=declares(LIMITED)))
    assert not {"on_time", "limited"} & json.loads(dims).keys()


def test_only_what_was_delivered_has_a_latency() -> None:
    made = fold(
        "delivery",
        row(DeliveryRow, delivery="d", integration="sap", outcome="failed", latency_ns=9),
        row(DeliveryRow, delivery="e", integration="sap", outcome="delivered", latency_ns=4),
    )
    facts = {json.loads(dims)["outcome"]: fact for (_, dims), fact in days(made).items()}
    assert (facts["failed"]["n"], facts["failed"]["total"], facts["failed"]["histogram"]) == (1, 0, None)
    assert facts["failed"]["least"] is None
    assert (facts["delivered"]["total"], facts["delivered"]["greatest"]) == (4, 4)


def test_a_use_makes_active_on_the_local_day() -> None:
    context = declares(FoldConfig(timezone="Asia/Kathmandu"))
    late, next_day = "2025-11-20T18:14:59.999999+00:00", "2025-11-20T18:15:00+00:00"
    made = fold("usage", *[row(UsageRow, at, user="u", feature="export") for at in (late, next_day)], context=context)
    today = us("2025-11-20T00:00:00+00:00") // DAY
    assert set(made.activity["day"]) == {today, today + 1}
    assert set(made.activity.select("feature", "counts").rows()) == {("export", True)}


def test_an_ignored_feature_has_users_but_makes_nobody_active() -> None:
    context = declares(FoldConfig(ignore_features=frozenset({"heartbeat"})))
    made = fold("usage", row(UsageRow, user="u", feature="heartbeat"), context=context)
    assert made.activity.select("user", "feature", "counts").rows() == [("u", "heartbeat", False)]


def test_a_session_counts_on_the_day_it_began_and_its_end_makes_nobody_active() -> None:
    end = row(UsageRow, "2025-11-21T00:10:00+00:00", user="u", feature="session", phase="end", duration_ns=1_200 * 10**9 + 1)
    made = fold("usage", end)
    ((_, fact),) = days(made).items()
    assert (fact["kind"], fact["bucket"]) == ("session", us("2025-11-20T00:00:00+00:00") // DAY)
    assert made.activity.is_empty()
    assert made.users.rows() == [(1, "u")]


def test_a_session_start_is_a_use_of_the_day_and_no_duration_yet() -> None:
    made = fold("usage", row(UsageRow, user="u", feature="session", phase="start"))
    assert list(days(made)) == [("usage", '{"feature":"session"}')]
    assert made.activity.select("feature", "counts").rows() == [("session", True)]


def test_only_declared_properties_split_uses() -> None:
    context = declares(FoldConfig(properties={"plan": 20}))
    use = row(UsageRow, user="u", feature="export", ok=False, properties={"plan": "pro", "os": "x"})
    assert list(days(fold("usage", use, context=context))) == [
        ("usage", '{"feature":"export","ok":"false","property.plan":"pro"}')
    ]


def test_uses_of_an_account_tell_apart_whether_they_failed_and_nothing_else() -> None:
    said = {"ok": "false", "plan": '"ok":"false"'}
    uses = [row(UsageRow, user="u", feature=feature, account="acme", properties=said) for feature in ("a", '"ok":"false"')]
    failed = row(UsageRow, user="u", feature="a", account="acme", ok=False)
    nobodys = row(UsageRow, user="u", feature="a")
    made = days(fold("usage", *uses, failed, nobodys, context=declares(FoldConfig(properties={"ok": 20, "plan": 20}))))
    assert {dims: fact["n"] for (kind, dims), fact in made.items() if kind == "usage_account"} == {"{}": 2, '{"ok":"false"}': 1}


def test_quantities_add_up_past_64_bits() -> None:
    uses = [row(UsageRow, user="u", feature="export", quantity_whole=10**12, quantity_nano=1) for _ in range(20)]
    (fact,) = days(fold("usage", *uses)).values()
    assert (fact["n"], fact["total"]) == (20, 20 * (10**21 + 1))


def test_a_meter_in_two_currencies_is_two_series() -> None:
    made = fold(
        "measurement",
        row(MeasurementRow, meter="cash", whole=1, unit="USD", is_currency=True),
        row(MeasurementRow, meter="cash", whole=1, unit="EUR", is_currency=True),
        row(MeasurementRow, meter="cash", whole=1, unit="USD", attributes={"b": "2", "a": "1"}),
    )
    assert {dims for _, dims in days(made)} == {
        '{"currency":"USD","meter":"cash"}',
        '{"currency":"EUR","meter":"cash"}',
        '{"attribute.a":"1","attribute.b":"2","meter":"cash","unit":"USD"}',
    }


def test_the_newest_value_is_of_the_latest_time_then_source_then_id() -> None:
    values = [
        row(MeasurementRow, meter="cash", whole=-1, source="a", id="9"),
        row(MeasurementRow, meter="cash", whole=2, source="b", id="1"),
        row(MeasurementRow, meter="cash", whole=3, source="b", id="10"),
        row(MeasurementRow, "2025-11-20T11:00:00+00:00", meter="cash", whole=99, source="z", id="z"),
    ]
    (fact,) = days(fold("measurement", *values)).values()
    assert (fact["newest_us"], fact["newest_source"], fact["newest_id"]) == (us(NOON), "b", "10")
    assert (fact["newest_value"], fact["least"]) == (3 * 10**9, -(10**9))


def test_keys_that_went_over_the_limit_of_names_fall_together() -> None:
    twice = row(MeasurementRow, meter="cash", whole=1, attributes={"x": "1"})
    pairs = FOLDS["measurement"]
    frame = _with_pairs(twice, [("~other", "b"), ("~other", "a")])
    other = _with_pairs(twice, [("~other", "b")])
    made = merge([pairs.fold(frame, declares()), pairs.fold(other, declares())])
    ((_, dims),) = days(made)
    assert json.loads(dims) == {"attribute.~other": "b", "meter": "cash"}


def test_the_newest_trait_and_the_earliest_milestone_stay_and_every_status() -> None:
    early, late = "2025-11-20T10:00:00+00:00", "2025-11-20T11:00:00+00:00"
    made = fold(
        "user",
        row(UserRow, late, user="u", status="active", milestone="first_login", traits={"role": "admin"}),
        row(UserRow, early, user="u", status="provisioned", milestone="first_login", traits={"role": "member"}),
    )
    values = {(state["field"], state["value"]) for state in made.states.iter_rows(named=True)}
    assert values == {("status", "active"), ("status", "provisioned"), ("trait.role", "admin")}
    assert made.milestones["time_us"].to_list() == [us(early)]


def test_of_two_statuses_of_one_moment_the_same_one_always_stays() -> None:
    said = [row(UserRow, user="u", status=status) for status in ("active", "provisioned", "deactivated")]
    for ordered in itertools.permutations(said):
        assert fold("user", *ordered).states["value"].to_list() == ["provisioned"]
        apart = merge([fold("user", each) for each in ordered])
        assert apart.states["value"].to_list() == ["provisioned"]


def test_a_step_of_an_incident_keeps_what_it_said_and_no_more() -> None:
    made = fold("incident", row(IncidentRow, incident="i", action="opened", severity="P1", outage=False, accounts=["b", "a"]))
    (step,) = made.steps.iter_rows(named=True)
    assert (step["family"], step["subject"]) == ("incident", "i")
    assert json.loads(step["fields"]) == {"action": "opened", "severity": "P1", "outage": False, "accounts": ["b", "a"]}


def test_a_probe_speaks_for_its_stretch_across_quarters() -> None:
    made = fold("probe", row(ProbeRow, "2025-11-20T12:14:50.900000+00:00", component="api", interval_s=30))
    first, second = made.probes.sort("bucket").iter_rows(named=True)
    assert (seconds(first["up"]), seconds(second["up"])) == (set(range(890, 900)), set(range(20)))
    assert (first["probes"], second["probes"], first["probes_up"]) == (1, 0, 1)


def test_an_excluded_probe_is_neither_up_nor_down() -> None:
    made = fold("probe", row(ProbeRow, component="api", up=False, degraded=True, interval_s=5, excluded="drill"))
    (probe,) = made.probes.iter_rows(named=True)
    assert seconds(probe["excluded"]) == set(range(5))
    assert not any(seconds(probe[name]) for name in ("up", "down", "degraded", "planned"))
    assert (probe["probes"], probe["probes_up"]) == (0, 0)


@pytest.mark.parametrize(("ahead_us", "planned"), [(7 * DAY, True), (7 * DAY - 1, False), (None, False)])
def test_planned_seconds_need_seven_days_of_notice(ahead_us: int | None, planned: bool) -> None:  # noqa: FBT001  # a case
    announced = None if ahead_us is None else us(NOON) - ahead_us
    made = fold("probe", row(ProbeRow, component="api", up=False, interval_s=5, planned=True, announced_us=announced))
    (probe,) = made.probes.iter_rows(named=True)
    assert seconds(probe["planned"]) == (set(range(5)) if planned else set())
    assert seconds(probe["down"]) == set(range(5))


def test_grains_that_are_no_longer_kept_are_left_out() -> None:
    config = declares().configs
    request = row(RequestRow, service="api", status=200, latency_ns=1)
    late_minute = FoldContext(config, us(NOON) + 1, 0)
    assert sorted(fold("request", request, context=late_minute).facts["grain"]) == ["day", "quarter"]
    nothing_fine = FoldContext(config, us(NOON) + 1, us(NOON) + 1)
    assert sorted(fold("request", request, context=nothing_fine).facts["grain"]) == ["day"]
    assert fold("probe", row(ProbeRow, component="api", interval_s=1), context=nothing_fine).probes.is_empty()
