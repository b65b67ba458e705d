"""Records that earlier releases wrote stay readable: their bytes are frozen here and never made again.

When SCHEMA_VERSION rises, freeze a record of the new version beside these and leave these alone.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from service.aggregate.records.scanned import scan_records
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
from service.eventlog.codec import FAMILIES, SCHEMA_VERSION, AnyRow, decode
from tests.columns import columns, stored

FROZEN = Path(__file__).parent / "frozen"


def head(number: int) -> tuple[bytes, int, str, str, int | None, int, str, bool, bytes | None]:
    """What every row begins with; odd ones name a time and were backfilled."""
    odd = number % 2 == 1
    time_us = 1_763_370_000_000_000 + number if odd else None
    raw = b'{"id":"e%d"}' % number if odd else None
    return (bytes([number]) * 16, number, "/frozen", f"e{number}", time_us, 1_763_370_001_000_000, "acme", odd, raw)


VERSION_1 = {
    "usage": UsageRow(
        *head(1), "ann", "export", "s-1", 1_500_000_000, 2_500_000_000, ok=False, phase="end", properties={"plan": "pro"}
    ),
    "user": UserRow(*head(2), "ann", "active", "first_login", {"role": "admin", "region": "Zürich"}),
    "delivery": DeliveryRow(
        *head(3),
        "d-1",
        "sap",
        "outbound",
        "delivered",
        2,
        300_000_000,
        1_763_369_999_000_000,
        500_000_000,
        exhausted=True,
        automated=False,
        excluded="maintenance",
    ),
    "request": RequestRow(
        *head(4),
        "api",
        "/v1/kpis",
        "GET",
        503,
        timeout=False,
        latency_ns=12_345,
        count=7,
        region="eu",
        error_kind="application",
        excluded="maintenance",
    ),
    "probe": ProbeRow(
        *head(5),
        "platform_api",
        "pingdom",
        "eu",
        up=False,
        degraded=True,
        interval_s=60,
        planned=True,
        announced_us=1_762_000_000_000_000,
        excluded="maintenance",
    ),
    "measurement": MeasurementRow(
        *head(6), "cost.operating", -12, -500_000_000, "USD", is_currency=True, count=3, attributes={"team": "core"}
    ),
    "incident": IncidentRow(
        *head(7),
        "i-1",
        "opened",
        "P1",
        "api",
        "slow",
        "availability",
        "deploy",
        outage=True,
        level=2,
        affected_users=40,
        action_items=3,
        accounts=["acme", "globex"],
    ),
    "rejected": RejectedRow(
        b"\x08" * 16,
        8,
        "/frozen",
        "e8",
        1_763_370_001_000_000,
        "bad_time",
        "time: not RFC 3339",
        b'{"time":"soon"}',
        "kafka:pilot:3:99",
        "soon",
    ),
}


VERSION_2 = VERSION_1 | {
    "account": AccountRow(
        *head(9),
        "acme",
        "churned",
        "budget",
        "go_live",
        "mid_market",
        120,
        1_250_000,
        "USD",
        -250_000,
        "EUR",
        10**15,
        "USD",
        "2025-01-01",
        "2025-12-31",
        "2026-01-01",
        0,
        "JPY",
        "pilot",
        350_000_000,
        {"merger": "true", "delayed": "false"},
        {"industry": "retail"},
        4_000,
    ),
    "recovery": RecoveryRow(*head(10), "c-1", "recovered", 4_900, "USD", 500, "USD", "email", automated=False),
    "ticket": TicketRow(
        *head(11), "t-1", "escalated", "P1", "billing", 2, first_contact=False, blocking=True, reason="third_party"
    ),
    "feedback": FeedbackRow(
        *head(12), "ann", "nps", "responded", 0, 10, "2025-Q4", "csv_export", "ux", "negative", ["speed", "price"]
    ),
    "item": ItemRow(*head(13), "r-1", "risk", "mitigating", "Late", "high", "low", "next", "2025-12-24", 9_000_000, "USD", "ann"),
}


@pytest.mark.parametrize(("version", "rows"), [(1, VERSION_1), (2, VERSION_2)])
def test_a_frozen_record_is_read_as_it_was_written(version: int, rows: Mapping[str, AnyRow]) -> None:
    record = decode(frozen(version))
    assert (record.version, record.producer, record.sequence) == (version, "01JD0000000000000000000000", 41)
    assert record.events == len(rows)
    for family in FAMILIES:
        assert getattr(record, family) == ([rows[family]] if family in rows else []), family


@pytest.mark.parametrize(("version", "rows"), [(1, VERSION_1), (2, VERSION_2)])
def test_a_frozen_record_becomes_the_columns_that_its_rows_are_today(version: int, rows: Mapping[str, AnyRow]) -> None:
    scanned = scan_records([stored(frozen(version), len(rows))], partitions=7)
    assert not scanned.unreadable
    assert [row for _, row in scanned.rejected] == [rows["rejected"]]
    assert set(scanned.frames) == rows.keys() - {"rejected"}
    for family, frame in scanned.frames.items():
        row: Any = rows[family]
        assert frame.equals(columns(family, [row], partitions=7)), family


def test_a_record_of_this_version_is_frozen_too() -> None:
    assert (FROZEN / f"record-v{SCHEMA_VERSION}.msgpack").exists()
    assert VERSION_2.keys() == set(FAMILIES)


def frozen(version: int) -> bytes:
    return (FROZEN / f"record-v{version}.msgpack").read_bytes()
