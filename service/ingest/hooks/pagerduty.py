"""PagerDuty's webhooks, version 3: what happens to an incident there happens to it here.

The form is that of PagerDuty's developer documentation (Webhooks, V3 overview). A message that comes again has the same event
id, and is the same step.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from service.domain.families.incident import Action
from service.errors import BodyMalformed
from service.ingest.hooks.steps import Severity, Step, severity_of

SOURCE = "/hooks/pagerduty"
SIGNATURE_HEADER = "x-pagerduty-signature"
SIGNATURE_VERSION = "v1="
ACTIONS: Mapping[str, tuple[Action, ...]] = {
    "incident.triggered": ("opened", "detected"),
    "incident.acknowledged": ("acknowledged",),
    "incident.escalated": ("escalated",),
    "incident.priority_updated": ("severity_changed",),
    "incident.resolved": ("resolved",),
    "incident.reopened": ("reopened",),
}
"""Steps by type of event; what else PagerDuty tells (notes, responders, assignments) changes no figure."""
OF_URGENCY: Mapping[str, Severity] = {"high": "P1", "low": "P3"}
"""Severities of incidents without a priority."""
DEFAULT_SEVERITY = "P2"


class Reference(msgspec.Struct, frozen=True):
    """A thing that an incident names."""

    id: str = ""
    summary: str = ""


class Data(msgspec.Struct, frozen=True):
    """The incident as it was when the event happened."""

    id: str
    created_at: str = ""
    title: str = ""
    urgency: str = ""
    service: Reference | None = None
    priority: Reference | None = None


class Event(msgspec.Struct, frozen=True):
    """One event of a subscription."""

    id: str
    event_type: str
    occurred_at: str
    data: msgspec.Raw


class Message(msgspec.Struct, frozen=True):
    """A body."""

    event: Event


_DECODER = msgspec.json.Decoder(Message)
_DATA = msgspec.json.Decoder(Data)


def read(body: bytes) -> Event:
    """Read a body; raises BodyMalformed."""
    try:
        return _DECODER.decode(body).event
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BodyMalformed(f"is no message of PagerDuty's webhooks, version 3: {error}") from None


def is_signed(body: bytes, header: str, secrets: Iterable[str]) -> bool:
    """Whether one of the signatures over the raw body is by one of the secrets (several while they are changed).

    HMAC-SHA256 in hexadecimal after `v1=`, several with commas (PagerDuty, Verifying Signatures).
    """
    given = [
        part.strip().removeprefix(SIGNATURE_VERSION) for part in header.split(",") if part.strip().startswith(SIGNATURE_VERSION)
    ]
    right = [hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in secrets]
    return any(hmac.compare_digest(one.encode(), other.encode()) for one in given for other in right)


def steps(event: Event, severities: Mapping[str, Severity]) -> Iterator[Step]:
    """The steps that an event tells of; `severities` by the name of a priority go before P0 to P3 and the urgency."""
    actions = ACTIONS.get(event.event_type, ())
    if not actions:
        return
    try:
        data = _DATA.decode(event.data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BodyMalformed(f"is no incident of PagerDuty's webhooks: {error}") from None
    priority = data.priority.summary if data.priority is not None else ""
    urgent = OF_URGENCY.get(data.urgency, DEFAULT_SEVERITY)
    for action in actions:
        yield Step(
            subject=data.id,
            key=f"{event.id}/{action}",
            time=data.created_at or event.occurred_at if action == "opened" else event.occurred_at,
            action=action,
            source=SOURCE,
            severity=severity_of(priority, severities, urgent) if action in {"opened", "severity_changed"} else "",
            title=data.title,
            service=data.service.summary if data.service is not None else "",
        )
