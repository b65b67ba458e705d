"""io.tidegauge.request.v1: requests that a service answered."""

from typing import Annotated

from msgspec import Meta

from service.domain.families.envelope import Envelope, Family, Intake, missing
from service.domain.families.fields import Count, Data, DurationMs, Name, Text
from service.domain.families.rows import RequestRow
from service.domain.ids import IdHash

Status = Annotated[int, Meta(ge=100, le=599)]

_NAMES = ("data.service", "data.method", "data.region", "data.error_kind")


class RequestData(Data, kw_only=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """Fields of a request, or of several alike."""

    service: Name
    latency_ms: DurationMs
    route: Text | None = None
    method: Name | None = None
    status: Status | None = None
    timeout: bool | None = None
    count: Count | None = None
    region: Name | None = None
    error_kind: Name | None = None
    excluded: Text | None = None


class RequestEvent(Envelope, kw_only=True, frozen=True, gc=False, tag="io.tidegauge.request.v1"):
    """Requests that were answered, as they are sent."""

    data: RequestData


def to_row(event: RequestEvent, id_hash: IdHash, time_us: int | None, raw: bytes | None, intake: Intake) -> RequestRow:
    """Make the row of a request; one that timed out has no status, whatever a proxy made up for it."""
    data = event.data
    timeout = data.timeout is True
    if data.status is None and not timeout:
        raise missing("data.status", "an answered request has a status; send status, or timeout true")
    method = data.method or ""
    region = data.region or ""
    error_kind = data.error_kind or ""
    names = (data.service, method, region, error_kind)
    if not intake.names.issuperset(names):
        intake.names.require(_NAMES, names)
    return RequestRow(
        id_hash,
        intake.tenant,
        event.source,
        event.id,
        time_us,
        intake.received_us,
        event.account or "",
        intake.backfill,
        raw,
        data.service,
        data.route or "",
        method,
        0 if timeout else data.status or 0,
        timeout,
        intake.duration_ns(data.latency_ms) or 0,
        data.count or 1,
        region,
        error_kind,
        data.excluded or "",
    )


FAMILY = Family(
    name="request",
    event=RequestEvent,
    to_row=to_row,
    title="Requests that a service answered",
    example={
        "specversion": "1.0",
        "id": "3f8a2c1e-request-1",
        "source": "/shop/gateway",
        "type": "io.tidegauge.request.v1",
        "time": "2025-11-17T09:30:00.120Z",
        "data": {"service": "api", "route": "/orders/{id}", "method": "GET", "status": 200, "latency_ms": 87.3, "count": 1},
    },
    rules={
        "anyOf": [
            {"required": ["status"], "properties": {"status": {"type": "integer"}}},
            {"required": ["timeout"], "properties": {"timeout": {"const": True}}},
        ]
    },
    defaults={"count": 1},
)
