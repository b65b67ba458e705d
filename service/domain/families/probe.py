"""io.tidegauge.probe.v1: a health check."""

from typing import Annotated

from msgspec import Meta

from service.domain.families.envelope import Envelope, Family, Intake
from service.domain.families.fields import Data, Instant, Name, Text
from service.domain.families.rows import ProbeRow
from service.domain.ids import IdHash
from service.domain.timestamps import instant_us

Interval = Annotated[int, Meta(ge=1, le=3600, description="Seconds from `time` on that the result stands for")]

_NAMES = ("data.component", "data.monitor", "data.region")


class ProbeData(Data, kw_only=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """Fields of a health check."""

    component: Name
    up: bool
    interval_s: Interval
    monitor: Name | None = None
    region: Name | None = None
    degraded: bool | None = None
    planned: bool | None = None
    announced_at: Instant | None = None
    excluded: Text | None = None


class ProbeEvent(Envelope, kw_only=True, frozen=True, gc=False, tag="io.tidegauge.probe.v1"):
    """A health check, as it is sent."""

    data: ProbeData


def to_row(event: ProbeEvent, id_hash: IdHash, time_us: int | None, raw: bytes | None, intake: Intake) -> ProbeRow:
    """Make the row of a health check."""
    data = event.data
    monitor = data.monitor or "default"
    region = data.region or ""
    names = (data.component, monitor, region)
    if not intake.names.issuperset(names):
        intake.names.require(_NAMES, names)
    announced_at = data.announced_at
    return ProbeRow(
        id_hash,
        intake.tenant,
        event.source,
        event.id,
        time_us,
        intake.received_us,
        event.account or "",
        intake.backfill,
        raw,
        data.component,
        monitor,
        region,
        data.up,
        data.degraded is True,
        data.interval_s,
        data.planned is True,
        None if announced_at is None else instant_us(announced_at, "data.announced_at"),
        data.excluded or "",
    )


FAMILY = Family(
    name="probe",
    event=ProbeEvent,
    to_row=to_row,
    title="A health check",
    example={
        "specversion": "1.0",
        "id": "3f8a2c1e-probe-1",
        "source": "/monitoring/blackbox",
        "type": "io.tidegauge.probe.v1",
        "time": "2025-11-17T09:30:00Z",
        "data": {"component": "platform_api", "monitor": "blackbox", "region": "eu-central", "up": True, "interval_s": 30},
    },
    defaults={"monitor": "default"},
)
