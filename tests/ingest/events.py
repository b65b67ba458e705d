"""Events to send."""

import json
from typing import Any


def request_event(event_id: str = "r1", **more: Any) -> dict[str, Any]:
    """A request that a service answered."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "/services/api",
        "type": "io.tidegauge.request.v1",
        "data": {"service": "api", "status": 200, "latency_ms": 12.5},
        **more,
    }


def usage_event(event_id: str = "u1", **more: Any) -> dict[str, Any]:
    """A user did something."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "/services/web",
        "type": "io.tidegauge.usage.v1",
        "subject": "ada",
        "data": {"feature": "dashboard"},
        **more,
    }


def bad_event(event_id: str = "b1") -> dict[str, Any]:
    """One that the contract refuses as `missing_field`."""
    return usage_event(event_id, data={})


def encoded(value: Any) -> bytes:
    """As JSON."""
    return json.dumps(value).encode()


def lines(*events: Any) -> bytes:
    """As NDJSON."""
    return b"".join(encoded(event) + b"\n" for event in events)
