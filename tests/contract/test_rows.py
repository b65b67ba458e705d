"""What becomes of an event: every field of its row, its stamp, its bytes where they may be needed."""

# ruff: noqa: FBT001, FBT003 -- rows are arrays on the wire, flags among them

from typing import Any

import msgspec
import pytest

from service.clock import to_datetime
from service.domain.families.registry import FAMILIES
from service.domain.families.rows import (
    AccountRow,
    DeliveryRow,
    FeedbackRow,
    IncidentRow,
    ItemRow,
    MeasurementRow,
    ProbeRow,
    RecoveryRow,
    RejectedRow,
    RequestRow,
    TicketRow,
    UsageRow,
    UserRow,
)
from service.domain.timestamps import instant_us
from service.ingest.decode import Form, Stamp

from .samples import DAY_US, HASHER, LIMITS, LIVE, RECEIVED_US, decode, decoder, event, row_of, text

TIME = "2025-11-17T11:00:00Z"
TIME_US = instant_us(TIME, "time")
SENT = {"status", "outcome", "latency_ns", "interval_s", "whole", "nano", "score", "scale"}
"""Optional fields of a row that the least event of a family sets."""
HEAD = (HASHER.of(7, "/tests", "e-1", TIME_US), 7, "/tests", "e-1", TIME_US, RECEIVED_US, "acme", False, None)


def test_a_use_keeps_every_field() -> None:
    data = {"session": "s", "duration_ms": 1.5, "quantity": 2, "ok": False, "properties": {"plan": "pro"}}
    expected = UsageRow(*HEAD, "subject-1", "export", "s", 1_500_000, 2_000_000_000, False, "", {"plan": "pro"})
    assert row_of(event("usage", data, account="acme")) == expected


def test_a_session_has_two_ends_and_only_the_second_has_a_length() -> None:
    start = row_of(event("usage", {"feature": "session", "phase": "start", "duration_ms": 5}))
    end = row_of(event("usage", {"feature": "session", "phase": "end", "duration_ms": 5}))
    assert (start.phase, start.duration_ns) == ("start", None)
    assert (end.phase, end.duration_ns) == ("end", 5_000_000)


def test_a_user_keeps_every_field() -> None:
    data = {"status": "deactivated", "milestone": "signed_up", "traits": {"role": "admin"}}
    expected = UserRow(*HEAD, "subject-1", "deactivated", "signed_up", {"role": "admin"})
    assert row_of(event("user", data, account="acme")) == expected


def test_a_delivery_keeps_every_field() -> None:
    data = {
        "direction": "outbound",
        "outcome": "delivered",
        "attempt": 3,
        "latency_ms": 212.4,
        "accepted_at": "2025-11-17T12:00:00+02:00",
        "limit_ms": 500,
        "exhausted": True,
        "automated": False,
        "excluded": "maintenance",
    }
    accepted_us = TIME_US - 3_600_000_000
    own: tuple[Any, ...] = (
        "subject-1",
        "workday",
        "outbound",
        "delivered",
        3,
        212_400_000,
        accepted_us,
        500_000_000,
        True,
        False,
        "maintenance",
    )
    assert row_of(event("delivery", data, account="acme")) == DeliveryRow(*HEAD, *own)


def test_a_request_keeps_every_field() -> None:
    data = {"route": "/a/{id}", "method": "GET", "count": 9, "region": "eu", "error_kind": "validation", "excluded": "test"}
    own: tuple[Any, ...] = ("api", "/a/{id}", "GET", 200, False, 12_500_000, 9, "eu", "validation", "test")
    assert row_of(event("request", data, account="acme")) == RequestRow(*HEAD, *own)


def test_a_request_that_timed_out_has_no_status() -> None:
    row = row_of(event("request", {"status": 504, "timeout": True}))
    assert (row.status, row.timeout) == (0, True)


def test_a_probe_keeps_every_field() -> None:
    data = {"monitor": "m", "region": "eu", "up": False, "degraded": True, "planned": True, "announced_at": TIME, "excluded": "x"}
    expected = ProbeRow(*HEAD, "api", "m", "eu", False, True, 30, True, TIME_US, "x")
    assert row_of(event("probe", data, account="acme")) == expected


def test_a_measurement_keeps_every_field() -> None:
    data = {"value": -1.25, "unit": "s", "attributes": {"page": "home"}, "count": 4}
    expected = MeasurementRow(*HEAD, "web_vital.lcp", -1, -250_000_000, "s", False, 4, {"page": "home"})
    assert row_of(event("measurement", data, account="acme")) == expected
    money = row_of(event("measurement", {"currency": "EUR"}))
    assert (money.unit, money.is_currency) == ("EUR", True)


def test_an_incident_keeps_every_field() -> None:
    data = {
        "action": "opened",
        "severity": "P1",
        "service": "api",
        "title": "Slow",
        "kind": "availability",
        "cause": "deploy",
        "outage": False,
        "level": 2,
        "affected_users": 12,
        "action_items": 0,
        "accounts": ["acme", "globex"],
    }
    own: tuple[Any, ...] = (
        "subject-1",
        "opened",
        "P1",
        "api",
        "Slow",
        "availability",
        "deploy",
        False,
        2,
        12,
        0,
        ["acme", "globex"],
    )
    assert row_of(event("incident", data, account="acme")) == IncidentRow(*HEAD, *own)


def test_an_account_keeps_every_field() -> None:
    data = {
        "status": "churned",
        "reason": "budget",
        "milestone": "go_live",
        "tier": "starter",
        "licensed_users": 120,
        "mrr": {"amount": 1_250_000, "currency": "USD"},
        "usage_fees": {"amount": 0, "currency": "USD"},
        "contract_value": {"amount": 10**15, "currency": "JPY"},
        "contract_start": "2025-01-01",
        "contract_end": "2025-12-31",
        "renewal": "2026-01-01",
        "expansion_potential": {"amount": -5, "currency": "EUR"},
        "phase": "pilot",
        "progress": 0.35,
        "signals": {"merger": True, "delayed": False},
        "traits": {"industry": "retail"},
        "size": 4_000,
    }
    own: tuple[Any, ...] = ("subject-1", "churned", "budget", "go_live", "starter", 120, 1_250_000, "USD", 0, "USD")
    own += (10**15, "JPY", "2025-01-01", "2025-12-31", "2026-01-01", -5, "EUR", "pilot", 350_000_000)
    own += ({"merger": "true", "delayed": "false"}, {"industry": "retail"}, 4_000)
    assert row_of(event("account", data, account="acme")) == AccountRow(*HEAD, *own)


def test_progress_is_kept_to_nine_places_and_what_is_lost_is_counted() -> None:
    for literal, nano, rounded in ((1, 10**9, 0), (0.123456789, 123_456_789, 0), (0.12345678949, 123_456_789, 1)):
        batch = decode(event("account", {"progress": literal}))
        assert ([row.progress_nano for row in batch.rows["account"]], batch.rounded) == ([nano], rounded)  # type: ignore[union-attr]


def test_a_recovery_keeps_every_field() -> None:
    data = {
        "action": "recovered",
        "amount": {"amount": 4_900, "currency": "USD"},
        "incentive": {"amount": 500, "currency": "EUR"},
        "channel": "email",
        "automated": False,
    }
    own: tuple[Any, ...] = ("subject-1", "recovered", 4_900, "USD", 500, "EUR", "email", False)
    assert row_of(event("recovery", data, account="acme")) == RecoveryRow(*HEAD, *own)


def test_a_ticket_keeps_every_field() -> None:
    data = {
        "action": "excluded",
        "priority": "P1",
        "category": "billing",
        "level": 2,
        "first_contact": False,
        "blocking": True,
        "reason": "third_party",
    }
    own: tuple[Any, ...] = ("subject-1", "excluded", "P1", "billing", 2, False, True, "third_party")
    assert row_of(event("ticket", data, account="acme")) == TicketRow(*HEAD, *own)


def test_feedback_keeps_every_field() -> None:
    data = {
        "survey": "csat",
        "score": 1,
        "scale": 7,
        "wave": "2025-Q4",
        "about": "csv_export",
        "category": "ux",
        "sentiment": "negative",
        "themes": ["speed", "price"],
    }
    own: tuple[Any, ...] = ("subject-1", "csat", "responded", 1, 7, "2025-Q4", "csv_export", "ux", "negative", ["speed", "price"])
    assert row_of(event("feedback", data, account="acme")) == FeedbackRow(*HEAD, *own)


def test_a_score_knows_what_it_is_out_of() -> None:
    scales = [
        row_of(event("feedback", data)).scale for data in ({}, {"survey": "nps"}, {"scale": 10}, {"survey": "nps", "score": 0})
    ]
    assert scales == [5, 10, 10, 10]
    invited = row_of(event("feedback", {"action": "invited", "score": ..., "scale": 5}))
    assert (invited.score, invited.scale) == (None, None)


def test_an_item_keeps_every_field() -> None:
    data = {
        "status": "mitigating",
        "title": "Late",
        "probability": "high",
        "impact": "low",
        "priority": "next",
        "due": "2025-12-24",
        "value": {"amount": 9_000_000, "currency": "USD"},
        "owner": "ann",
    }
    own: tuple[Any, ...] = (
        "subject-1",
        "risk",
        "mitigating",
        "Late",
        "high",
        "low",
        "next",
        "2025-12-24",
        9_000_000,
        "USD",
        "ann",
    )
    assert row_of(event("item", data, account="acme")) == ItemRow(*HEAD, *own)


@pytest.mark.parametrize("family", [family.name for family in FAMILIES])
def test_what_is_left_out_means_what_the_contract_says(family: str) -> None:
    row = row_of(event(family))
    for field in msgspec.structs.fields(type(row))[9:]:
        if field.name not in SENT and not field.required:
            default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
            assert getattr(row, field.name) == default


def test_an_event_without_time_has_none_and_hashes_as_such() -> None:
    row = row_of(event("probe", time=...))
    assert (row.time_us, row.raw) == (None, None)
    assert row.id_hash == HASHER.of(7, "/tests", "e-1", None)


def test_copies_of_an_event_share_their_hash_however_their_time_is_written() -> None:
    written = ["2025-11-17T11:00:00Z", "2025-11-17t11:00:00.000z", "2025-11-17T12:00:00+01:00", "2025-11-17T11:00:00.0000009Z"]
    assert len({row_of(event("probe", time=time)).id_hash for time in written}) == 1
    assert len({row_of(event("probe", **one)).id_hash for one in ({"id": "x"}, {"source": "x"}, {"time": ...}, {})}) == 4


@pytest.mark.parametrize("backfill", [False, True])
def test_the_bytes_go_along_exactly_where_the_time_policy_may_refuse(backfill: bool) -> None:
    stamp = Stamp(tenant=7, received_us=RECEIVED_US, backfill=backfill)
    for offset_us, kept in (
        (-LIMITS.max_lateness_us, False),
        (-LIMITS.max_lateness_us - 1, True),
        (LIMITS.max_skew_us, False),
        (LIMITS.max_skew_us + 1, True),
        (-400 * DAY_US, True),
    ):
        document = event("probe", time=_written(RECEIVED_US + offset_us))
        among = decode([event("request"), document, event("request")], stamp=stamp).rows["probe"][0]
        assert row_of(document, stamp) == among
        assert among.raw == (text(document) if kept else None)


def test_the_stamp_is_on_every_row() -> None:
    stamp = Stamp(tenant=9, received_us=RECEIVED_US + 5, backfill=True, origin="kafka:events:3:17")
    batch = decoder().decode(text([event("probe"), event("probe", {"up": 5})]), Form.JSON, stamp)
    (row,), (rejected,) = batch.rows["probe"], batch.rows["rejected"]
    assert (row.tenant, row.received_us, row.backfill) == (9, RECEIVED_US + 5, True)  # type: ignore[union-attr]
    assert isinstance(rejected, RejectedRow)
    assert (rejected.tenant, rejected.received_us, rejected.origin) == (9, RECEIVED_US + 5, "kafka:events:3:17")


def test_a_refused_event_keeps_its_identity_its_reason_and_its_bytes() -> None:
    document = event("probe", {"interval_s": 0})
    batch = decode([event("request"), document])
    (row,) = batch.rows["rejected"]
    assert isinstance(row, RejectedRow)
    assert row.id_hash == row_of(event("probe")).id_hash
    assert (row.source, row.id, row.time, row.reason, row.raw) == ("/tests", "e-1", TIME, "out_of_range", text(document))
    assert row.detail == batch.rejected[0].detail
    assert (batch.rejected[0].index, batch.rejected[0].id) == (1, "e-1")


def test_a_refused_event_without_identity_is_known_by_its_bytes() -> None:
    documents = [event("probe", id=...), event("probe", id=..., account="b"), event("probe", time="x"), event("probe", id="\x00")]
    rows = decode([*documents, documents[0]]).rows["rejected"]
    hashes = [row.id_hash for row in rows]
    assert hashes[0] == hashes[-1]
    assert len(set(hashes)) == len(documents)
    assert [row.id for row in rows] == ["", "", "e-1", "", ""]


def test_the_bytes_of_a_refused_event_are_cut_at_64_kb() -> None:
    document = event("probe", id="big", note="x" * 100_000)
    (row,) = decode(document).rows["rejected"]
    assert isinstance(row, RejectedRow)
    assert row.raw == text(document)[: 64 * 1024]
    assert (row.id, row.reason) == ("big", "too_large")


def test_every_row_can_travel_through_the_log() -> None:
    batch = decode(
        [event("usage", {"quantity": 10**12}), event("measurement", {"value": -1e15}), event("incident", {"level": 9})]
    )
    for rows in batch.rows.values():
        for row in rows:
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=type(row)) == row
    assert LIVE.origin == "http"


def _written(us: int) -> str:

    return to_datetime(us).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
