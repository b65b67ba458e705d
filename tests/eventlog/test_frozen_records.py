"""Records that earlier releases wrote stay readable: their bytes are frozen here and never made again.

When SCHEMA_VERSION rises, freeze a record of the new version beside these and leave these alone.
"""

from pathlib import Path

from service.domain.families.rows import (
    DeliveryRow,
    IncidentRow,
    MeasurementRow,
    ProbeRow,
    RejectedRow,
    RequestRow,
    UsageRow,
    UserRow,
)
from service.eventlog.codec import FAMILIES, decode

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


def test_a_record_of_version_1_is_read_as_it_was_written() -> None:
    record = decode((FROZEN / "record-v1.msgpack").read_bytes())
    assert (record.version, record.producer, record.sequence, record.events) == (1, "01JD0000000000000000000000", 41, 8)
    for family in FAMILIES:
        assert getattr(record, family) == ([VERSION_1[family]] if family in VERSION_1 else []), family
