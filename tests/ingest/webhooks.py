"""What Alertmanager (webhook, version 4) and PagerDuty (webhooks v3) send, in the form of their documentation."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime.now(UTC).replace(microsecond=0)
STARTED, ENDED = NOW - timedelta(minutes=40), NOW - timedelta(minutes=10)


def text(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def alert(status: str = "firing", fingerprint: str = "c0ffee", **labels: str) -> dict[str, Any]:
    """One alert, as Alertmanager writes it; `endsAt` of one that fires is the zero time of Go."""
    return {
        "status": status,
        "labels": {"alertname": "DeliveryLate", "severity": "critical", "service": "hooks", **labels},
        "annotations": {"summary": "Deliveries are late", "runbook_url": "https://example.com/runbook"},
        "startsAt": text(STARTED),
        "endsAt": text(ENDED) if status == "resolved" else "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.com/graph?g0.expr=up",
        "fingerprint": fingerprint,
    }


def message(*alerts: dict[str, Any], version: str = "4") -> bytes:
    """A notification of Alertmanager 0.2x."""
    return json.dumps(
        {
            "version": version,
            "groupKey": '{}:{alertname="DeliveryLate"}',
            "truncatedAlerts": 0,
            "status": alerts[0]["status"] if alerts else "firing",
            "receiver": "tidegauge",
            "groupLabels": {"alertname": "DeliveryLate"},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.example.com",
            "alerts": alerts,
        }
    ).encode()


def paged(event_type: str, *, number: int = 1, at: datetime = STARTED, **changes: Any) -> bytes:
    """An event of a subscription, as PagerDuty writes it."""
    data = {
        "id": "PGR0VU2",
        "type": "incident",
        "self": "https://api.pagerduty.com/incidents/PGR0VU2",
        "html_url": "https://acme.pagerduty.com/incidents/PGR0VU2",
        "number": 2,
        "status": "triggered",
        "incident_key": "d3640fbd41094207a1c11e58e46b1662",
        "created_at": text(STARTED),
        "title": "A little bump in the road",
        "service": {"id": "PF9KMXH", "type": "service_reference", "summary": "API Service"},
        "assignees": [{"id": "PTUXL6G", "type": "user_reference", "summary": "User 123"}],
        "escalation_policy": {"id": "PUS0KTE", "type": "escalation_policy_reference", "summary": "Default"},
        "teams": [],
        "priority": {"id": "PSO75BM", "type": "priority_reference", "summary": "P1"},
        "urgency": "high",
        "conference_bridge": None,
        "resolve_reason": None,
    }
    event = {
        "id": f"01CSAOIKX{number}",
        "event_type": event_type,
        "resource_type": "incident",
        "occurred_at": text(at),
        "agent": {"id": "PLH1HKV", "type": "user_reference", "summary": "Tenex Engineer"},
        "client": {"name": "PagerDuty"},
        "data": data | changes,
    }
    return json.dumps({"event": event}).encode()


def signature(body: bytes, *secrets: str) -> str:
    """The header X-PagerDuty-Signature: one signature a secret."""
    return ",".join(f"v1={hmac.new(each.encode(), body, hashlib.sha256).hexdigest()}" for each in secrets)
