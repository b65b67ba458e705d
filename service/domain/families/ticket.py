"""io.tidegauge.ticket.v1: a step in a support ticket's life."""

from typing import Final, Literal, get_args

from service.domain.families.envelope import Envelope, Family, Intake, missing
from service.domain.families.fields import Data, Id, Level, Name, Severity, Text
from service.domain.families.head import head_of
from service.domain.families.rows import TicketRow
from service.domain.ids import IdHash

WITH_PRIORITY = frozenset({"opened", "priority_changed"})
"""Actions that say how urgent the ticket is."""

Action = Literal[
    "opened",
    "first_response",
    "escalated",
    "priority_changed",
    "updated",
    "mitigated",
    "resolved",
    "reopened",
    "excluded",
    "included",
]
ACTIONS: Final[tuple[str, ...]] = get_args(Action)
"""Steps in the order in which those of one instant are taken."""


class TicketData(Data, kw_only=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """Fields of a ticket's step."""

    action: Action
    priority: Severity | None = None
    category: Name | None = None
    level: Level | None = None
    first_contact: bool | None = None
    blocking: bool | None = None
    reason: Text | None = None


class TicketEvent(Envelope, kw_only=True, frozen=True, gc=False, tag="io.tidegauge.ticket.v1"):
    """A step of a ticket, as it is sent."""

    subject: Id
    data: TicketData


def to_row(event: TicketEvent, id_hash: IdHash, time_us: int | None, raw: bytes | None, intake: Intake) -> TicketRow:
    """Make the row of a ticket's step."""
    data = event.data
    if data.priority is None and data.action in WITH_PRIORITY:
        raise missing("data.priority", f"{data.action} says how urgent the ticket is; send P0, P1, P2 or P3")
    category = data.category or ""
    if category not in intake.names:
        intake.names.require(("data.category",), (category,))
    return TicketRow(
        *head_of(event, id_hash, time_us, raw, intake),
        event.subject,
        data.action,
        data.priority or "",
        category,
        data.level,
        data.first_contact,
        data.blocking,
        data.reason or "",
    )


FAMILY = Family(
    name="ticket",
    event=TicketEvent,
    to_row=to_row,
    title="A step in a support ticket's life",
    example={
        "specversion": "1.0",
        "id": "3f8a2c1e-ticket-1",
        "source": "/support/desk",
        "type": "io.tidegauge.ticket.v1",
        "time": "2025-11-17T10:00:00Z",
        "subject": "T-4711",
        "account": "acme",
        "data": {"action": "opened", "priority": "P2", "category": "billing", "blocking": False},
    },
    rules={
        "if": {"properties": {"action": {"enum": sorted(WITH_PRIORITY)}}},
        "then": {"required": ["priority"], "properties": {"priority": {"type": "string"}}},
    },
)
