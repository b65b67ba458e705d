"""io.tidegauge.delivery.v1: one step of delivering something under an SLA."""

from typing import Literal

from service.domain.families.envelope import Envelope, Family, Intake, missing
from service.domain.families.fields import Count, Data, DurationMs, Id, Instant, Name, Text
from service.domain.families.rows import DeliveryRow
from service.domain.ids import IdHash
from service.domain.timestamps import instant_us


class DeliveryData(Data, kw_only=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """Fields of a delivery's step."""

    integration: Name
    outcome: Literal["accepted", "retrying", "delivered", "failed", "dead_lettered", "redelivered"]
    direction: Literal["inbound", "outbound"] | None = None
    attempt: Count | None = None
    latency_ms: DurationMs | None = None
    accepted_at: Instant | None = None
    limit_ms: DurationMs | None = None
    exhausted: bool | None = None
    automated: bool | None = None
    excluded: Text | None = None


class DeliveryEvent(Envelope, kw_only=True, frozen=True, gc=False, tag="io.tidegauge.delivery.v1"):
    """A step of a delivery, as it is sent."""

    subject: Id
    data: DeliveryData


def to_row(event: DeliveryEvent, id_hash: IdHash, time_us: int | None, raw: bytes | None, intake: Intake) -> DeliveryRow:
    """Make the row of a delivery's step."""
    data = event.data
    if data.latency_ms is None and data.outcome == "delivered":
        raise missing("data.latency_ms", "a delivered outcome says how long it took; send latency_ms")
    if data.integration not in intake.names:
        intake.names.require(("data.integration",), (data.integration,))
    accepted_at = data.accepted_at
    return DeliveryRow(
        id_hash,
        intake.tenant,
        event.source,
        event.id,
        time_us,
        intake.received_us,
        event.account or "",
        intake.backfill,
        raw,
        event.subject,
        data.integration,
        data.direction or "inbound",
        data.outcome,
        data.attempt or 1,
        intake.duration_ns(data.latency_ms),
        None if accepted_at is None else instant_us(accepted_at, "data.accepted_at"),
        intake.duration_ns(data.limit_ms),
        data.exhausted is True,
        data.automated is not False,
        data.excluded or "",
    )


FAMILY = Family(
    name="delivery",
    event=DeliveryEvent,
    to_row=to_row,
    title="One step of delivering something under an SLA",
    example={
        "specversion": "1.0",
        "id": "3f8a2c1e-delivery-1",
        "source": "/connect/worker",
        "type": "io.tidegauge.delivery.v1",
        "time": "2025-11-17T09:30:00.412Z",
        "subject": "delivery-7781",
        "account": "acme",
        "data": {"integration": "workday", "direction": "inbound", "outcome": "delivered", "attempt": 1, "latency_ms": 212.4},
    },
    rules={
        "if": {"properties": {"outcome": {"const": "delivered"}}},
        "then": {"required": ["latency_ms"], "properties": {"latency_ms": {"type": "number"}}},
    },
    defaults={"direction": "inbound", "attempt": 1, "automated": True},
)
