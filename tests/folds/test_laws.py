"""Laws of all folds: like the plain oracle, in any order, cut into any batches, to the last bit."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.aggregate.context import FoldContext
from service.aggregate.folds import FOLDS, merge
from service.clock import DAY, HOUR, MINUTE, SECOND
from service.domain.families.rows import (
    AccountRow,
    DeliveryRow,
    FeedbackRow,
    IncidentRow,
    ItemRow,
    MeasurementRow,
    ProbeRow,
    RecoveryRow,
    RequestRow,
    Row,
    TicketRow,
    UsageRow,
    UserRow,
)
from service.domain.foldconfig import FirstUse, FoldConfig, TenantFoldConfig
from service.domain.slo import Selection
from tests.columns import columns
from tests.folds.oracle import expected
from tests.folds.reading import read

EVER = -(2**63)
SWITCH_US = 1_743_000_000_000_000
"""Tenant 3 declares other limits, properties and ignored features from here on (in March 2025)."""
EDGES_US = [
    SWITCH_US,
    1_741_503_600 * SECOND,  # New York leaps forward on 2025-03-09
    1_762_063_200 * SECOND,  # and falls back on 2025-11-02
    1_743_865_200 * SECOND,  # Lord Howe falls back by half an hour on 2025-04-06
    1_759_591_800 * SECOND,  # and leaps forward by half an hour on 2025-10-05
    1_740_768_300 * SECOND,  # midnight in Kathmandu, at 18:15 UTC
    1_325_239_200 * SECOND,  # Apia skips a day at the end of 2011
    -86_400 * SECOND,
]


SLOS = (
    Selection("on-time", "delivery_on_time"),
    Selection("benevity", "delivery_on_time", (("direction", frozenset({"inbound"})), ("integration", frozenset({"benevity"})))),
    Selection("up", "request_success"),
    Selection("acme-up", "request_success", (("account", frozenset({"acme"})),)),
    Selection("quick", "request_latency", (("service", frozenset({"api"})),), "<=", 93),
    Selection("quicker", "request_latency", (("route", frozenset({"", "a"})), ("status", frozenset({"200"}))), "<=", 0),
    Selection("works", "usage", (("feature", frozenset({"export", "session"})),)),
    Selection("lcp", "meter", (("meter", frozenset({"lcp"})),), "<", 10**9),
    Selection("solvent", "meter", (("account", frozenset({""})), ("meter", frozenset({"cash"}))), ">=", -(10**24)),
)
LATER_SLOS = (
    Selection("up", "request_success", (("service", frozenset({"web"})),)),
    Selection("works", "usage", (("property.os", frozenset({"x"})),)),
    Selection("on-time", "request_latency", (), "<=", 500_000_000),
)
"""What tenant 3 declares later: names stay, what they are about does not."""


def _plain(zone: str) -> TenantFoldConfig:
    return TenantFoldConfig(1, (EVER,), (FoldConfig(timezone=zone, limit_ns={"benevity": 500_000_000}, slos=SLOS),))


LORD_HOWE = "Australia/Lord_Howe"
CONTEXT = FoldContext(
    configs={
        1: _plain("America/New_York"),
        2: _plain("Asia/Kathmandu"),
        3: TenantFoldConfig(
            2,
            (EVER, SWITCH_US),
            (
                FoldConfig(
                    timezone=LORD_HOWE,
                    properties={"plan": 20},
                    limit_ns={"benevity": 1},
                    slos=SLOS,
                    frequency_features=frozenset({"export"}),
                    tracked=frozenset({"benevity"}),
                    first_uses=(
                        FirstUse("shared", frozenset({"export"})),
                        FirstUse("live", frozenset({"export"}), of_account=True),
                    ),
                ),
                FoldConfig(
                    timezone=LORD_HOWE,
                    ignore_features=frozenset({"heartbeat"}),
                    properties={"plan": 20, "os": 5},
                    slos=LATER_SLOS,
                    frequency_features=frozenset({"*", "heartbeat"}),
                    first_uses=(FirstUse("shared", frozenset({"heartbeat", "export"})), FirstUse("~first:")),
                ),
            ),
        ),
        4: _plain("Pacific/Apia"),
    },
    minute_from_us=SWITCH_US // MINUTE * MINUTE,
    quarter_from_us=0,
)

texts = st.sampled_from(["", "a", "b\\c", "ünïcode/{id}", "~other"])
times = st.one_of(
    st.builds(
        lambda edge, step, unit: edge + step * unit,
        st.sampled_from(EDGES_US),
        st.integers(-3, 3),
        st.sampled_from([1, SECOND, MINUTE, 15 * MINUTE, HOUR, DAY]),
    ),
    st.integers(-(2**40) * 1000, 2**51),
)
durations = st.one_of(st.sampled_from([0, 1, 93, 500_000_000, 400 * 86_400 * 10**9]), st.integers(0, 10**12))
counts = st.sampled_from([1, 1, 2, 10**9])
amounts = st.sampled_from([None, None, 0, -1, 4_900, 10**15])
currencies = st.sampled_from(["USD", "EUR"])
dates = st.sampled_from(["", "", "0001-01-01", "2025-12-31", "9999-12-31"])
flags = st.sampled_from([None, False, True])
maps = st.dictionaries(st.sampled_from(["plan", "os", "page"]), st.sampled_from(["x", "y z", "~other"]), max_size=3)


def _head(draw: st.DrawFn) -> dict[str, Any]:
    at = draw(times)
    untimed = draw(st.integers(0, 9)) == 0
    return {
        "id_hash": bytes(16),
        "tenant": draw(st.integers(1, 4)),
        "source": draw(st.sampled_from(["s", "t"])),
        "id": draw(st.sampled_from("abcdef")),
        "time_us": None if untimed else at,
        "received_us": at + draw(st.sampled_from([0, 0, 15 * MINUTE, 15 * MINUTE + 1, -MINUTE])),
        "account": draw(st.sampled_from(["", "acme"])),
        "backfill": draw(st.integers(0, 9)) == 0,
        "raw": None,
    }


def _session(draw: st.DrawFn) -> dict[str, Any]:
    phase = draw(st.sampled_from(["", "start", "end"]))
    duration = draw(durations) if phase == "end" or draw(st.booleans()) else None
    return {"feature": "session", "phase": phase, "duration_ns": duration}


def _money(draw: st.DrawFn, *fields: str) -> dict[str, Any]:
    drawn: dict[str, Any] = {}
    for field in fields:
        amount = draw(amounts)
        drawn |= {field: amount, f"{field}_currency": "" if amount is None else draw(currencies)}
    return drawn


OWN: dict[str, Any] = {
    "usage": lambda draw: UsageRow(
        **_head(draw),
        user=draw(st.sampled_from(["u", "v"])),
        quantity_nano=draw(st.sampled_from([1, 10**9, 2**63 - 1])),
        quantity_whole=draw(st.sampled_from([0, 0, 10**12])),
        ok=draw(st.booleans()),
        properties=draw(maps),
        **(_session(draw) if draw(st.booleans()) else {"feature": draw(st.sampled_from(["export", "heartbeat"]))}),
    ),
    "user": lambda draw: UserRow(
        **_head(draw),
        user=draw(st.sampled_from(["u", "v"])),
        status=draw(st.sampled_from(["", "active", "provisioned"])),
        milestone=draw(st.sampled_from(["", "first_login"])),
        traits=draw(maps),
    ),
    "delivery": lambda draw: DeliveryRow(
        **_head(draw),
        delivery=draw(st.sampled_from(["d", "e"])),
        integration=draw(st.sampled_from(["benevity", "sap"])),
        outcome=draw(st.sampled_from(["accepted", "retrying", "delivered", "failed", "dead_lettered", "redelivered"])),
        attempt=draw(st.integers(1, 2)),
        latency_ns=draw(st.one_of(st.none(), durations)),
        limit_ns=draw(st.sampled_from([None, None, 93, 10**12])),
        exhausted=draw(st.booleans()),
        automated=draw(st.booleans()),
        excluded=draw(st.sampled_from(["", "maintenance"])),
    ),
    "request": lambda draw: RequestRow(
        **_head(draw),
        service=draw(st.sampled_from(["api", "web"])),
        route=draw(texts),
        status=draw(st.sampled_from([200, 500])),
        timeout=draw(st.booleans()),
        latency_ns=draw(durations),
        count=draw(counts),
        error_kind=draw(texts),
    ),
    "probe": lambda draw: ProbeRow(
        **_head(draw),
        component=draw(st.sampled_from(["api", "web"])),
        up=draw(st.booleans()),
        degraded=draw(st.booleans()),
        interval_s=draw(st.sampled_from([1, 30, 900, 3600])),
        planned=draw(st.booleans()),
        announced_us=draw(st.sampled_from([None, SWITCH_US - 7 * DAY, 0])),
        excluded=draw(st.sampled_from(["", "", "drill"])),
    ),
    "measurement": lambda draw: MeasurementRow(
        **_head(draw),
        meter=draw(st.sampled_from(["lcp", "cash"])),
        unit=draw(st.sampled_from(["", "ms", "USD"])),
        is_currency=draw(st.booleans()),
        count=draw(counts),
        attributes=draw(maps),
        **draw(
            st.sampled_from([-1, 1]).flatmap(
                lambda sign: st.fixed_dictionaries(
                    {
                        "whole": st.sampled_from([0, 1, 10**9, 10**15]).map(lambda whole: sign * whole),
                        "nano": st.sampled_from([0, 1, 999_999_999]).map(lambda nano: sign * nano),
                    }
                )
            )
        ),
    ),
    "incident": lambda draw: IncidentRow(
        **_head(draw),
        incident=draw(st.sampled_from(["i", "j"])),
        action=draw(st.sampled_from(["opened", "resolved"])),
        severity=draw(st.sampled_from(["", "P0"])),
        title=draw(texts),
        outage=draw(st.sampled_from([None, False, True])),
        level=draw(st.sampled_from([None, 1])),
        affected_users=draw(st.sampled_from([None, 0, 7])),
        accounts=draw(st.sampled_from([[], ["acme", "b"]])),
    ),
    "account": lambda draw: AccountRow(
        **_head(draw),
        customer=draw(st.sampled_from(["acme", "globex"])),
        status=draw(st.sampled_from(["", "trial", "active", "churned"])),
        reason=draw(texts),
        milestone=draw(st.sampled_from(["", "go_live"])),
        tier=draw(st.sampled_from(["", "enterprise", "starter"])),
        licensed_users=draw(st.sampled_from([None, 0, 120])),
        contract_start=draw(dates),
        contract_end=draw(dates),
        renewal=draw(dates),
        phase=draw(texts),
        progress_nano=draw(st.sampled_from([None, 0, 350_000_000, 10**9])),
        signals=draw(st.dictionaries(st.sampled_from(["merger", "delayed", "~other"]), st.sampled_from(["true", "false"]))),
        traits=draw(maps),
        size=draw(st.sampled_from([None, 0, 10**9])),
        **_money(draw, "mrr", "usage_fees", "contract_value", "expansion_potential"),
    ),
    "recovery": lambda draw: RecoveryRow(
        **_head(draw),
        case=draw(st.sampled_from(["c", "d"])),
        action=draw(st.sampled_from(["at_risk", "nudged", "recovered", "lost"])),
        channel=draw(st.sampled_from(["", "email"])),
        automated=draw(flags),
        **_money(draw, "amount", "incentive"),
    ),
    "ticket": lambda draw: TicketRow(
        **_head(draw),
        ticket=draw(st.sampled_from(["t", "u"])),
        action=draw(st.sampled_from(["opened", "priority_changed", "excluded", "resolved"])),
        priority=draw(st.sampled_from(["", "P0", "P3"])),
        category=draw(texts),
        level=draw(st.sampled_from([None, 4])),
        first_contact=draw(flags),
        blocking=draw(flags),
        reason=draw(texts),
    ),
    "feedback": lambda draw: FeedbackRow(
        **_head(draw),
        respondent=draw(st.sampled_from(["u", "v"])),
        survey=draw(st.sampled_from(["nps", "csat"])),
        action=draw(st.sampled_from(["invited", "responded", "followed_up"])),
        score=draw(st.sampled_from([None, 0, 1, 10])),
        scale=draw(st.sampled_from([None, 5, 10])),
        wave=draw(texts),
        about=draw(texts),
        category=draw(texts),
        sentiment=draw(st.sampled_from(["", "negative"])),
        themes=draw(st.lists(st.sampled_from(["speed", "price", "~other"]), max_size=4)),
    ),
    "item": lambda draw: ItemRow(
        **_head(draw),
        item=draw(st.sampled_from(["r", "s"])),
        kind=draw(st.sampled_from(["risk", "action"])),
        status=draw(st.sampled_from(["open", "mitigating", "closed"])),
        title=draw(texts),
        probability=draw(st.sampled_from(["", "low", "high"])),
        impact=draw(st.sampled_from(["", "medium"])),
        priority=draw(texts),
        due=draw(dates),
        owner=draw(texts),
        **_money(draw, "value"),
    ),
}


@st.composite
def rows_of(draw: st.DrawFn, family: str) -> list[Row]:
    return [OWN[family](draw) for _ in range(draw(st.integers(1, 24)))]


@pytest.mark.parametrize("family", FOLDS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_order_and_any_cut_give_the_figures_of_the_oracle(family: str, data: st.DataObject) -> None:
    rows = data.draw(rows_of(family))
    fold = FOLDS[family].fold
    oracle = expected(family, rows, CONTEXT)

    whole = fold(columns(family, rows), CONTEXT)
    assert read(whole) == oracle

    shuffled = data.draw(st.permutations(rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), min_size=1, max_size=4)))
    batches = [shuffled[low:high] for low, high in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    folded = [fold(columns(family, batch), CONTEXT) for batch in batches]
    assert read(merge(folded)) == oracle
    assert read(merge([merge(folded[1:]), folded[0]])) == oracle


def test_deltas_of_different_families_lie_side_by_side_when_merged() -> None:
    head = (bytes(16), 1, "s", "1", SWITCH_US, SWITCH_US, "", False, None)
    request = RequestRow(*head, service="api", status=200, latency_ns=5)
    meter = MeasurementRow(*head, meter="lcp", whole=3)
    use = UsageRow(*head, user="u", feature="export")
    rows: dict[str, Row] = {"request": request, "measurement": meter, "usage": use}
    merged = read(merge([FOLDS[family].fold(columns(family, [row]), CONTEXT) for family, row in rows.items()]))
    for family, row in rows.items():
        alone = expected(family, [row], CONTEXT).facts
        assert {key: merged.facts[key] for key in alone} == alone


@pytest.mark.parametrize("family", FOLDS)
def test_no_events_make_no_changes(family: str) -> None:
    assert read(FOLDS[family].fold(columns(family, []), CONTEXT)) == expected(family, [], CONTEXT)
