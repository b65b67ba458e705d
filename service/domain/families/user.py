"""io.tidegauge.user.v1: who a user is."""

from typing import Literal

from service.domain.families.envelope import Envelope, Family, Intake, missing
from service.domain.families.fields import Data, Id, Name, Traits
from service.domain.families.rows import UserRow
from service.domain.ids import IdHash


class UserData(Data, kw_only=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """Fields of a user; at least one of them."""

    status: Literal["provisioned", "active", "deactivated"] | None = None
    milestone: Name | None = None
    traits: Traits | None = None


class UserEvent(Envelope, kw_only=True, frozen=True, gc=False, tag="io.tidegauge.user.v1"):
    """News of a user, as they are sent."""

    subject: Id
    data: UserData


def to_row(event: UserEvent, id_hash: IdHash, time_us: int | None, raw: bytes | None, intake: Intake) -> UserRow:
    """Make the row of what became known of a user."""
    data = event.data
    milestone = data.milestone or ""
    traits = data.traits or {}
    if not (data.status or milestone or traits):
        raise missing("data", "says nothing of the user; send at least one of status, milestone or traits")
    if milestone not in intake.names:
        intake.names.require(("data.milestone",), (milestone,))
    if traits and not intake.names.issuperset(traits):
        intake.names.require_keys("data.traits", traits)
    return UserRow(
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
        data.status or "",
        milestone,
        traits,
    )


FAMILY = Family(
    name="user",
    event=UserEvent,
    to_row=to_row,
    title="Who a user is",
    example={
        "specversion": "1.0",
        "id": "3f8a2c1e-user-1",
        "source": "/shop/accounts",
        "type": "io.tidegauge.user.v1",
        "time": "2025-11-17T09:00:00Z",
        "subject": "user-42",
        "account": "acme",
        "data": {"status": "active", "milestone": "first_login", "traits": {"role": "admin"}},
    },
    rules={"anyOf": [{"required": ["status"]}, {"required": ["milestone"]}, {"required": ["traits"]}]},
)
