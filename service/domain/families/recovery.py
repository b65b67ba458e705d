"""io.tidegauge.recovery.v1: a step in a case of winning back a subscriber."""

from typing import Final, Literal, get_args

from service.domain.families.envelope import Envelope, Family, Intake
from service.domain.families.fields import Data, Id, Money, Name, money_parts
from service.domain.families.head import head_of
from service.domain.families.rows import RecoveryRow
from service.domain.ids import IdHash

Action = Literal["at_risk", "nudged", "recovered", "lost"]
ACTIONS: Final[tuple[str, ...]] = get_args(Action)
"""Steps in the order in which those of one instant are taken."""


class RecoveryData(Data, kw_only=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """Fields of a case's step."""

    action: Action
    amount: Money | None = None
    incentive: Money | None = None
    channel: Name | None = None
    automated: bool | None = None


class RecoveryEvent(Envelope, kw_only=True, frozen=True, gc=False, tag="io.tidegauge.recovery.v1"):
    """A step of a case, as it is sent; `account` owns the case."""

    subject: Id
    data: RecoveryData


def to_row(event: RecoveryEvent, id_hash: IdHash, time_us: int | None, raw: bytes | None, intake: Intake) -> RecoveryRow:
    """Make the row of a case's step."""
    data = event.data
    channel = data.channel or ""
    if channel not in intake.names:
        intake.names.require(("data.channel",), (channel,))
    return RecoveryRow(
        *head_of(event, id_hash, time_us, raw, intake),
        event.subject,
        data.action,
        *money_parts(data.amount),
        *money_parts(data.incentive),
        channel,
        data.automated,
    )


FAMILY = Family(
    name="recovery",
    event=RecoveryEvent,
    to_row=to_row,
    title="A step in a case of winning back a subscriber",
    example={
        "specversion": "1.0",
        "id": "3f8a2c1e-recovery-1",
        "source": "/retention/engine",
        "type": "io.tidegauge.recovery.v1",
        "time": "2025-11-17T10:30:00Z",
        "subject": "case-501",
        "account": "acme",
        "data": {
            "action": "recovered",
            "amount": {"amount": 4_900, "currency": "USD"},
            "incentive": {"amount": 500, "currency": "USD"},
            "channel": "email",
            "automated": True,
        },
    },
)
