"""A small stream of made-up events that keeps a demonstration moving; plainly named one."""

import random
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from service.clock import Clock, to_datetime

SOURCE = "/demonstration"
USERS = 24
FEATURES = ("dashboard", "sroi", "vis", "impact", "q2q_report", "csv_export", "pdf_export")
ROUTES = ("/dashboard", "/reports", "/export")
INTEGRATIONS = ("benevity", "workday")
ERROR_SHARE = 0.01
LATE_SHARE = 0.03


def one_round(clock: Clock, chance: random.Random) -> Iterator[Mapping[str, Any]]:
    """A handful of events of this moment: uses, requests, a delivery and a probe."""
    now = to_datetime(clock.now_us()).isoformat(timespec="microseconds").replace("+00:00", "Z")

    def event(family: str, data: Mapping[str, Any], **attributes: str) -> Mapping[str, Any]:
        return {
            "specversion": "1.0",
            "id": str(UUID(int=chance.getrandbits(128), version=4)),
            "source": SOURCE,
            "type": f"io.tidegauge.{family}.v1",
            "time": now,
            **attributes,
            "data": data,
        }

    number = chance.randrange(USERS)
    yield event(
        "usage", {"feature": chance.choice(FEATURES)}, subject=f"demo-user-{number}", account=f"demo-account-{number % 4}"
    )
    for _ in range(chance.randint(1, 4)):
        status = 500 if chance.random() < ERROR_SHARE else 200
        latency_ms = round(chance.lognormvariate(4.8, 0.5), 3)
        yield event(
            "request",
            {"service": "api", "route": chance.choice(ROUTES), "method": "GET", "status": status, "latency_ms": latency_ms},
        )
    late = chance.random() < LATE_SHARE
    yield event(
        "delivery",
        {
            "integration": chance.choice(INTEGRATIONS),
            "outcome": "delivered",
            "limit_ms": 500,
            "latency_ms": 900.0 if late else round(chance.lognormvariate(5.2, 0.3), 3),
        },
        subject=f"demo-delivery-{chance.getrandbits(48):012x}",
    )
    yield event("probe", {"component": "web", "up": True, "interval_s": 1})
