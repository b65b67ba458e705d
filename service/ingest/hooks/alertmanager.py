"""Alertmanager's webhook, version 4: a firing alert opens and detects an incident, a resolved one resolves it.

The form is that of Alertmanager's documentation (Configuration, `<webhook_config>`). Alertmanager says everything again and
again, and every member of a pair says it: a step is known again by the alert's fingerprint, its start and what happened.
"""

from collections.abc import Iterator, Mapping

import msgspec

from service.domain.families.incident import Action
from service.errors import BodyMalformed
from service.ingest.hooks.steps import Severity, Step, severity_of

SOURCE = "/hooks/alertmanager"
VERSION = "4"
DEFAULT_SEVERITY = "P2"
SEVERITIES: Mapping[str, Severity] = {
    "critical": "P1",
    "page": "P1",
    "high": "P1",
    "error": "P2",
    "warning": "P2",
    "ticket": "P2",
    "medium": "P2",
    "info": "P3",
    "information": "P3",
    "low": "P3",
    "none": "P3",
}
"""What the label `severity` stands for, in lower case; anything else is P2."""


class Alert(msgspec.Struct, frozen=True, rename="camel"):
    """One alert of a message."""

    status: str
    fingerprint: str
    starts_at: str
    ends_at: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Message(msgspec.Struct, frozen=True, rename="camel"):
    """A notification about a group of alerts."""

    version: str
    alerts: list[Alert]
    truncated_alerts: int = 0


_DECODER = msgspec.json.Decoder(Message)


def read(body: bytes) -> Message:
    """Read a body; raises BodyMalformed for what is no message of version 4."""
    try:
        message = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BodyMalformed(f"is no message of Alertmanager's webhook: {error}") from None
    if message.version != VERSION:
        raise BodyMalformed(f"is of version {message.version[:20]!r} of Alertmanager's webhook, and only {VERSION} is read")
    return message


def steps(message: Message, severities: Mapping[str, Severity]) -> Iterator[Step]:
    """The steps that a message tells of; `severities` go before the usual ones.

    A resolved alert tells of its beginning too: the message that it fires may never have come.
    """
    known = {**SEVERITIES, **severities}
    for alert in message.alerts:
        opened = _step(alert, "opened", alert.starts_at)
        yield msgspec.structs.replace(opened, severity=severity_of(alert.labels.get("severity", ""), known, DEFAULT_SEVERITY))
        yield _step(alert, "detected", alert.starts_at)
        if alert.status == "resolved":
            yield _step(alert, "resolved", alert.ends_at)


def _step(alert: Alert, action: Action, time: str) -> Step:
    labels, annotations = alert.labels, alert.annotations
    subject = f"{alert.fingerprint}@{alert.starts_at}"
    return Step(
        subject=subject,
        key=f"{subject}/{action}",
        time=time,
        action=action,
        source=SOURCE,
        account=labels.get("account", ""),
        title=annotations.get("summary") or annotations.get("title") or labels.get("alertname", ""),
        service=labels.get("service") or labels.get("job", ""),
        kind=labels.get("kind", ""),
    )
