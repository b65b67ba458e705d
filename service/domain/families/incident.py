"""io.tidegauge.incident.v1: a step in an incident's life."""

from typing import Final, Literal, get_args

from service.domain.families.envelope import Envelope, Family, Intake, missing
from service.domain.families.fields import Accounts, Amount, Data, Id, Level, Name, Severity, Text
from service.domain.families.rows import IncidentRow
from service.domain.ids import IdHash

WITH_SEVERITY = frozenset({"opened", "severity_changed"})
"""Actions that say how severe the incident is."""

Action = Literal[
    "opened",
    "detected",
    "acknowledged",
    "escalated",
    "severity_changed",
    "updated",
    "mitigated",
    "resolved",
    "reopened",
    "postmortem_completed",
    "false_positive",
]
ACTIONS: Final[tuple[str, ...]] = get_args(Action)
"""Steps in the order in which those of one instant are taken."""

_NAMES = ("data.service", "data.kind", "data.cause")


class IncidentData(Data, kw_only=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """Fields of an incident's step."""

    action: Action
    severity: Severity | None = None
    service: Name | None = None
    title: Text | None = None
    kind: Name | None = None
    cause: Name | None = None
    outage: bool | None = None
    level: Level | None = None
    affected_users: Amount | None = None
    action_items: Amount | None = None
    accounts: Accounts | None = None


class IncidentEvent(Envelope, kw_only=True, frozen=True, gc=False, tag="io.tidegauge.incident.v1"):
    """A step of an incident, as it is sent."""

    subject: Id
    data: IncidentData


def to_row(event: IncidentEvent, id_hash: IdHash, time_us: int | None, raw: bytes | None, intake: Intake) -> IncidentRow:
    """Make the row of an incident's step."""
    data = event.data
    if data.severity is None and data.action in WITH_SEVERITY:
        raise missing("data.severity", f"{data.action} says how severe the incident is; send P0, P1, P2 or P3")
    names = (data.service or "", data.kind or "", data.cause or "")
    if not intake.names.issuperset(names):
        intake.names.require(_NAMES, names)
    return IncidentRow(
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
        data.action,
        data.severity or "",
        names[0],
        data.title or "",
        names[1],
        names[2],
        data.outage,
        data.level,
        data.affected_users,
        data.action_items,
        data.accounts or [],
    )


FAMILY = Family(
    name="incident",
    event=IncidentEvent,
    to_row=to_row,
    title="A step in an incident's life",
    example={
        "specversion": "1.0",
        "id": "3f8a2c1e-incident-1",
        "source": "/oncall/pager",
        "type": "io.tidegauge.incident.v1",
        "time": "2025-11-17T10:00:00Z",
        "subject": "INC-2025-0124",
        "data": {"action": "opened", "severity": "P1", "service": "api", "title": "Slow answers", "kind": "availability"},
    },
    rules={
        "if": {"properties": {"action": {"enum": sorted(WITH_SEVERITY)}}},
        "then": {"required": ["severity"], "properties": {"severity": {"type": "string"}}},
    },
)
