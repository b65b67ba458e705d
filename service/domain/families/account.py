"""io.tidegauge.account.v1: the state of a customer."""

from typing import Final, Literal

import msgspec
from msgspec import Raw

from service.domain.dates import full_date
from service.domain.families.decimals import decimal_of
from service.domain.families.envelope import Envelope, Family, Intake, missing
from service.domain.families.fields import Amount, Data, Date, Id, Money, Name, Progress, Signals, Text, Traits, money_parts
from service.domain.families.head import head_of
from service.domain.families.rows import AccountRow
from service.domain.ids import IdHash
from service.domain.numbers import NANO
from service.domain.reasons import Reason
from service.errors import EventRefused


class AccountData(Data, kw_only=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """Fields of an account; at least one of them."""

    status: Literal["prospect", "invited", "onboarding", "trial", "active", "at_risk", "churned"] | None = None
    reason: Text | None = None
    milestone: Name | None = None
    tier: Literal["enterprise", "mid_market", "starter"] | None = None
    licensed_users: Amount | None = None
    mrr: Money | None = None
    usage_fees: Money | None = None
    contract_value: Money | None = None
    contract_start: Date | None = None
    contract_end: Date | None = None
    renewal: Date | None = None
    expansion_potential: Money | None = None
    phase: Text | None = None
    progress: Progress = msgspec.field(default_factory=Raw)
    signals: Signals | None = None
    traits: Traits | None = None
    size: Amount | None = None


class AccountEvent(Envelope, kw_only=True, frozen=True, gc=False, tag="io.tidegauge.account.v1"):
    """News of an account, as they are sent."""

    subject: Id
    data: AccountData


FIELDS: Final[tuple[str, ...]] = AccountData.__struct_fields__
"""Everything that can be said of an account."""


def to_row(event: AccountEvent, id_hash: IdHash, time_us: int | None, raw: bytes | None, intake: Intake) -> AccountRow:
    """Make the row of what became known of an account."""
    data = event.data
    progress_nano = _progress_nano(data.progress, intake)
    if progress_nano is None and not any(_says(getattr(data, field)) for field in FIELDS if field != "progress"):
        raise missing("data", f"says nothing of the account; send at least one of {', '.join(FIELDS)}")
    milestone, signals, traits = data.milestone or "", data.signals or {}, data.traits or {}
    if milestone not in intake.names:
        intake.names.require(("data.milestone",), (milestone,))
    if not intake.names.issuperset(signals):
        intake.names.require_keys("data.signals", signals)
    if not intake.names.issuperset(traits):
        intake.names.require_keys("data.traits", traits)
    return AccountRow(
        *head_of(event, id_hash, time_us, raw, intake),
        event.subject,
        data.status or "",
        data.reason or "",
        milestone,
        data.tier or "",
        data.licensed_users,
        *money_parts(data.mrr),
        *money_parts(data.usage_fees),
        *money_parts(data.contract_value),
        full_date(data.contract_start, "data.contract_start"),
        full_date(data.contract_end, "data.contract_end"),
        full_date(data.renewal, "data.renewal"),
        *money_parts(data.expansion_potential),
        data.phase or "",
        progress_nano,
        {name: "true" if raised else "false" for name, raised in signals.items()},
        traits,
        data.size,
    )


def _says(value: object) -> bool:
    """Whether a field says anything: 0 does, an empty text or map does not."""
    return value not in (None, "", {})


def _progress_nano(literal: Raw, intake: Intake) -> int | None:
    """A share from 0 to 1 in 10⁻⁹."""
    number = decimal_of(literal, "data.progress", 1, intake)
    if number is None:
        return None
    whole, nano = number
    if whole < 0 or nano < 0:
        raise EventRefused(Reason.OUT_OF_RANGE, "data.progress", "is less than 0; send a share from 0 to 1")
    return whole * NANO + nano


FAMILY = Family(
    name="account",
    event=AccountEvent,
    to_row=to_row,
    title="The state of a customer",
    example={
        "specversion": "1.0",
        "id": "3f8a2c1e-account-1",
        "source": "/crm/sync",
        "type": "io.tidegauge.account.v1",
        "time": "2025-11-17T09:00:00Z",
        "subject": "acme",
        "data": {
            "status": "active",
            "milestone": "go_live",
            "tier": "mid_market",
            "licensed_users": 120,
            "mrr": {"amount": 1_250_000, "currency": "USD"},
            "usage_fees": {"amount": 250_000, "currency": "USD"},
            "contract_start": "2025-01-01",
            "contract_end": "2026-12-31",
            "renewal": "2026-12-31",
            "progress": 0.35,
            "signals": {"expansion_discussion": True},
            "traits": {"industry": "retail", "region": "eu"},
            "size": 4_000,
        },
    },
    rules={"anyOf": [{"required": [field]} for field in FIELDS]},
)
