"""Rows of the event log: what is kept of an event between ingest and aggregate.

A row is a MessagePack array. Fields are only ever appended, with defaults, so that old records
stay readable (see docs/adr/0001). Numbers are integers from here on: durations in nanoseconds,
`quantity` and `value` in units of 10⁻⁹ ("nano"), money in minor units, instants in microseconds
since 1970 UTC. An optional text that is missing is `""`, an optional number `None`.
"""

import msgspec


class Row(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The head that every family's row begins with."""

    id_hash: bytes
    """16 bytes, see domain/ids.py."""
    tenant: int
    source: str
    id: str
    time_us: int | None
    """`time` of the event; None where the event names none: then `received_us` counts."""
    received_us: int
    account: str
    backfill: bool
    """Came with the scope `backfill`: exempt from `too_late`."""
    raw: bytes | None
    """The event's bytes as they came, only where the time policy may refuse it later."""


class UsageRow(Row, array_like=True, gc=False, frozen=True):
    """io.tidegauge.usage.v1."""

    user: str
    feature: str
    session: str = ""
    duration_ns: int | None = None
    quantity_nano: int = 1_000_000_000
    ok: bool = True
    phase: str = ""
    """"", "start" or "end"; only for the feature `session`."""
    properties: dict[str, str] = {}
    quantity_whole: int = 0
    """Added to the quantity, in whole units: quantities past 9 x 10⁹ do not fit `quantity_nano`."""


class UserRow(Row, array_like=True, gc=False, frozen=True):
    """io.tidegauge.user.v1."""

    user: str
    status: str = ""
    milestone: str = ""
    traits: dict[str, str] = {}


class DeliveryRow(Row, array_like=True, gc=False, frozen=True):
    """io.tidegauge.delivery.v1."""

    delivery: str
    integration: str
    direction: str = "inbound"
    outcome: str = ""
    attempt: int = 1
    latency_ns: int | None = None
    accepted_us: int | None = None
    limit_ns: int | None = None
    exhausted: bool = False
    automated: bool = True
    excluded: str = ""


class RequestRow(Row, array_like=True, gc=False, frozen=True):
    """io.tidegauge.request.v1."""

    service: str
    route: str = ""
    method: str = ""
    status: int = 0
    """100 to 599, or 0 with `timeout`."""
    timeout: bool = False
    latency_ns: int = 0
    count: int = 1
    region: str = ""
    error_kind: str = ""
    excluded: str = ""


class ProbeRow(Row, array_like=True, gc=False, frozen=True):
    """io.tidegauge.probe.v1."""

    component: str
    monitor: str = "default"
    region: str = ""
    up: bool = True
    degraded: bool = False
    interval_s: int = 1
    planned: bool = False
    announced_us: int | None = None
    excluded: str = ""


class MeasurementRow(Row, array_like=True, gc=False, frozen=True):
    """io.tidegauge.measurement.v1."""

    meter: str
    whole: int = 0
    """The value's whole part, toward zero."""
    nano: int = 0
    """The rest in 10⁻⁹, of the same sign: value = whole + nano x 10⁻⁹."""
    unit: str = ""
    """The unit, or the currency (then `is_currency`)."""
    is_currency: bool = False
    count: int = 1
    attributes: dict[str, str] = {}


class IncidentRow(Row, array_like=True, gc=False, frozen=True):
    """io.tidegauge.incident.v1."""

    incident: str
    action: str
    severity: str = ""
    service: str = ""
    title: str = ""
    kind: str = ""
    cause: str = ""
    outage: bool | None = None
    level: int | None = None
    affected_users: int | None = None
    action_items: int | None = None
    accounts: list[str] = []


class AccountRow(Row, array_like=True, gc=False, frozen=True):
    """io.tidegauge.account.v1. Dates are RFC 3339 full-dates, as they were sent."""

    customer: str
    """The account that the event is about (its subject); `account` of the head says nothing more."""
    status: str = ""
    reason: str = ""
    milestone: str = ""
    tier: str = ""
    licensed_users: int | None = None
    mrr: int | None = None
    mrr_currency: str = ""
    usage_fees: int | None = None
    usage_fees_currency: str = ""
    contract_value: int | None = None
    contract_value_currency: str = ""
    contract_start: str = ""
    contract_end: str = ""
    renewal: str = ""
    expansion_potential: int | None = None
    expansion_potential_currency: str = ""
    phase: str = ""
    progress_nano: int | None = None
    signals: dict[str, str] = {}
    """By name `true` or `false`."""
    traits: dict[str, str] = {}
    size: int | None = None


class RecoveryRow(Row, array_like=True, gc=False, frozen=True):
    """io.tidegauge.recovery.v1."""

    case: str
    action: str
    amount: int | None = None
    amount_currency: str = ""
    incentive: int | None = None
    incentive_currency: str = ""
    channel: str = ""
    automated: bool | None = None


class TicketRow(Row, array_like=True, gc=False, frozen=True):
    """io.tidegauge.ticket.v1."""

    ticket: str
    action: str
    priority: str = ""
    category: str = ""
    level: int | None = None
    first_contact: bool | None = None
    blocking: bool | None = None
    reason: str = ""


class FeedbackRow(Row, array_like=True, gc=False, frozen=True):
    """io.tidegauge.feedback.v1."""

    respondent: str
    survey: str
    action: str = "responded"
    score: int | None = None
    scale: int | None = None
    """What the score is out of; None where there is no score."""
    wave: str = ""
    about: str = ""
    category: str = ""
    sentiment: str = ""
    themes: list[str] = []


class ItemRow(Row, array_like=True, gc=False, frozen=True):
    """io.tidegauge.item.v1. `due` is an RFC 3339 full-date."""

    item: str
    kind: str
    status: str
    title: str = ""
    probability: str = ""
    impact: str = ""
    priority: str = ""
    due: str = ""
    value: int | None = None
    value_currency: str = ""
    owner: str = ""


class RejectedRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """An event that ingest refused: it travels through the log as its own family."""

    id_hash: bytes
    """Of (tenant, source, id, time) where they can be read, else of the bytes."""
    tenant: int
    source: str
    id: str
    received_us: int
    reason: str
    detail: str
    raw: bytes
    """The bytes as they came, cut at 64 KB."""
    origin: str = "http"
    """Where from: `http`, or `kafka:TOPIC:PARTITION:OFFSET`."""
    time: str = ""
    """`time` as it was written, where it could be read."""
