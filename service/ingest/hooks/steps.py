"""Steps of incidents as events of the contract, made of what a tool said."""

from collections.abc import Mapping
from typing import Any

import msgspec

from service.domain.families.incident import FAMILY, Action
from service.domain.names import name_fault

MAX_TEXT = 256
MAX_ACCOUNT = 128
Severity = str
"""P0 to P3."""


class Step(msgspec.Struct, frozen=True):
    """One step of one incident."""

    subject: str
    key: str
    """What makes it itself: the same key again is the same step."""
    time: str
    """RFC 3339, as the tool wrote it."""
    action: Action
    source: str
    account: str = ""
    severity: Severity = ""
    title: str = ""
    service: str = ""
    kind: str = ""


def event_of(step: Step) -> dict[str, Any]:
    """The step as an envelope; a service or kind that cannot be a name is left out, a long title is cut.

    What makes the step itself is never cut, or one step would be taken for another: too long, it is refused as any event is.
    """
    data: dict[str, Any] = {"action": step.action}
    if step.severity:
        data["severity"] = step.severity
    if step.title:
        data["title"] = step.title[:MAX_TEXT]
    data |= {name: text for name, text in (("service", step.service), ("kind", step.kind)) if text and name_fault(text) is None}
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": step.key,
        "source": step.source,
        "type": FAMILY.type,
        "time": step.time,
        "subject": step.subject,
        "data": data,
    }
    return event | ({"account": step.account} if 0 < len(step.account) <= MAX_ACCOUNT else {})


def severity_of(text: str, known: Mapping[str, Severity], otherwise: Severity) -> Severity:
    """The severity that a tool's word stands for; `P0` … `P3` stand for themselves."""
    word = text.strip().lower()
    return word.upper() if word.upper() in {"P0", "P1", "P2", "P3"} else known.get(word, otherwise)
