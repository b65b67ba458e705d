"""io.tidegauge.usage.v1: a user did something."""

from typing import Final, Literal

import msgspec
from msgspec import Raw

from service.domain.families.decimals import decimal_of
from service.domain.families.envelope import Envelope, Family, Intake, missing
from service.domain.families.fields import Data, DurationMs, Id, Name, Properties, Quantity
from service.domain.families.rows import UsageRow
from service.domain.ids import IdHash
from service.domain.numbers import MAX_QUANTITY, NANO
from service.domain.reasons import Reason
from service.errors import EventRefused

SESSION = "session"
"""The feature that is a session itself."""
NAMED: Final = "usage_named"
"""The kind of facts of the uses that name an account, of all accounts together; by account they are of the kind `usage`."""
OF_ACCOUNT: Final = "usage_account"
"""The kind of facts of the same uses by account, whatever the feature and the properties: they tell `ok` apart alone."""
MAX_UNSPLIT = 9_000_000_000
"""Up to here a quantity's 10⁻⁹ units fit 64 bits."""


class UsageData(Data, kw_only=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """Fields of a use."""

    feature: Name
    session: Id | None = None
    duration_ms: DurationMs | None = None
    quantity: Quantity = msgspec.field(default_factory=Raw)
    ok: bool | None = None
    phase: Literal["start", "end"] | None = None
    properties: Properties | None = None


class UsageEvent(Envelope, kw_only=True, frozen=True, gc=False, tag="io.tidegauge.usage.v1"):
    """A use, as it is sent."""

    subject: Id
    data: UsageData


def to_row(event: UsageEvent, id_hash: IdHash, time_us: int | None, raw: bytes | None, intake: Intake) -> UsageRow:
    """Make the row of a use."""
    data = event.data
    names = intake.names
    if data.phase is not None:
        _check_phase(data)
    if data.feature not in names:
        names.require(("data.feature",), (data.feature,))
    properties = data.properties or {}
    if properties and not names.issuperset(properties):
        names.require_keys("data.properties", properties)
    literal = data.quantity
    whole, nano = _quantity(literal, intake) if literal else (0, NANO)
    return UsageRow(
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
        data.feature,
        data.session or "",
        # A session that has only begun has no length yet, whatever was sent with it.
        None if data.phase == "start" else intake.duration_ns(data.duration_ms),
        nano,
        data.ok is not False,
        data.phase or "",
        properties,
        whole,
    )


def _check_phase(data: UsageData) -> None:
    if data.feature != SESSION:
        raise EventRefused(Reason.NOT_ALLOWED, "data.phase", f"only the feature {SESSION!r} has phases; leave it out")
    if data.phase == "end" and data.duration_ms is None:
        raise missing("data.duration_ms", "the end of a session names its length; send duration_ms with phase 'end'")


def _quantity(literal: Raw, intake: Intake) -> tuple[int, int]:
    """The whole units that are kept apart (none for usual quantities), and 10⁻⁹ units."""
    number = decimal_of(literal, "data.quantity", MAX_QUANTITY, intake)
    if number is None:
        return 0, NANO
    whole, nano = number
    if whole < 0 or nano < 0 or not (whole or nano):
        raise EventRefused(Reason.OUT_OF_RANGE, "data.quantity", "is not more than 0 (to 9 decimal places); send what was used")
    if whole < MAX_UNSPLIT:
        return 0, whole * NANO + nano
    return whole, nano


FAMILY = Family(
    name="usage",
    event=UsageEvent,
    to_row=to_row,
    title="A user did something",
    example={
        "specversion": "1.0",
        "id": "3f8a2c1e-use-1",
        "source": "/shop/web",
        "type": "io.tidegauge.usage.v1",
        "time": "2025-11-17T09:30:00.250Z",
        "subject": "user-42",
        "account": "acme",
        "data": {"feature": "csv_export", "session": "s-981", "duration_ms": 1840.5, "properties": {"plan": "pro"}},
    },
    rules={
        "if": {"required": ["phase"], "properties": {"phase": {"enum": ["start", "end"]}}},
        "then": {
            "properties": {"feature": {"const": SESSION}},
            "if": {"properties": {"phase": {"const": "end"}}},
            "then": {"required": ["duration_ms"]},
        },
    },
    defaults={"quantity": 1, "ok": True},
)
