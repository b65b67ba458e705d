"""io.tidegauge.item.v1: a tracked thing (a risk, an action, a blocker)."""

from typing import Final, Literal, get_args

from service.domain.dates import full_date
from service.domain.families.envelope import Envelope, Family, Intake
from service.domain.families.fields import Data, Date, Grade, Id, Money, Name, Text, money_parts
from service.domain.families.head import head_of
from service.domain.families.rows import ItemRow
from service.domain.ids import IdHash

Status = Literal["open", "mitigating", "closed"]
STATUSES: Final[tuple[str, ...]] = get_args(Status)
"""In the order in which those of one instant are taken."""


class ItemData(Data, kw_only=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """Fields of a tracked thing."""

    kind: Name
    status: Status
    title: Text | None = None
    probability: Grade | None = None
    impact: Grade | None = None
    priority: Text | None = None
    due: Date | None = None
    value: Money | None = None
    owner: Text | None = None


class ItemEvent(Envelope, kw_only=True, frozen=True, gc=False, tag="io.tidegauge.item.v1"):
    """How a tracked thing stands, as it is sent."""

    subject: Id
    data: ItemData


def to_row(event: ItemEvent, id_hash: IdHash, time_us: int | None, raw: bytes | None, intake: Intake) -> ItemRow:
    """Make the row of how a tracked thing stands."""
    data = event.data
    if data.kind not in intake.names:
        intake.names.require(("data.kind",), (data.kind,))
    return ItemRow(
        *head_of(event, id_hash, time_us, raw, intake),
        event.subject,
        data.kind,
        data.status,
        data.title or "",
        data.probability or "",
        data.impact or "",
        data.priority or "",
        full_date(data.due, "data.due"),
        *money_parts(data.value),
        data.owner or "",
    )


FAMILY = Family(
    name="item",
    event=ItemEvent,
    to_row=to_row,
    title="A tracked thing: a risk, an action, a blocker …",
    example={
        "specversion": "1.0",
        "id": "3f8a2c1e-item-1",
        "source": "/success/board",
        "type": "io.tidegauge.item.v1",
        "time": "2025-11-17T11:30:00Z",
        "subject": "RISK-17",
        "account": "acme",
        "data": {
            "kind": "risk",
            "status": "open",
            "title": "Sponsor leaves in January",
            "probability": "medium",
            "impact": "high",
            "due": "2025-12-15",
            "value": {"amount": 9_000_000, "currency": "USD"},
            "owner": "ann",
        },
    },
)
