"""Events that an installation is sent."""

from typing import Any

from service.clock import MINUTE, SystemClock
from service.expose.moments import rfc3339

SOURCE = "/services/web"


def minutes_ago(minutes: float) -> str:
    """RFC 3339."""
    return rfc3339(SystemClock().now_us() - int(minutes * MINUTE)) or ""


def usage(event_id: str, **more: Any) -> dict[str, Any]:
    """A user did something."""
    return envelope(event_id, "usage", {"feature": "dashboard"}, **{"subject": "ada"} | more)


def request(event_id: str, *, status: int = 200, **more: Any) -> dict[str, Any]:
    """A service answered."""
    return envelope(event_id, "request", {"service": "api", "status": status, "latency_ms": 20}, **more)


def incident(subject: str, action: str, time: str, **data: Any) -> dict[str, Any]:
    """A step in an incident's life."""
    return envelope(f"{subject}-{action}-{time}", "incident", {"action": action, **data}, subject=subject, time=time)


def envelope(event_id: str, family: str, fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Any event."""
    head = {"specversion": "1.0", "id": event_id, "source": SOURCE, "type": f"io.tidegauge.{family}.v1"}
    return {**head, "data": fields} | more
