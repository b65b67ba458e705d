"""Events as clients send them, and a decoder to send them to."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, settings

from service.clock import to_us
from service.domain.families.registry import BY_TYPE
from service.domain.identity import IdHasher
from service.domain.reasons import Reason
from service.ingest.decode import Batch, Decoder, Form, Limits, Rejection, Stamp
from tests.ingest.batches import rows_of

DAY_US = 86_400_000_000
LIMITS = Limits(
    max_request_events=1_000, max_event_bytes=20_000, max_depth=32, max_lateness_us=7 * DAY_US, max_skew_us=300_000_000
)
RECEIVED_US = to_us(datetime(2025, 11, 17, 12, tzinfo=UTC))
LIVE = Stamp(tenant=7, received_us=RECEIVED_US, backfill=False)
HASHER = IdHasher(b"k" * 32)
TYPE = "io.tidegauge.{}.v1"
LEAST_DATA: dict[str, dict[str, Any]] = {
    "usage": {"feature": "export"},
    "user": {"status": "active"},
    "delivery": {"integration": "workday", "outcome": "failed"},
    "request": {"service": "api", "status": 200, "latency_ms": 12.5},
    "probe": {"component": "api", "up": True, "interval_s": 30},
    "measurement": {"meter": "web_vital.lcp", "value": 1.8},
    "incident": {"action": "updated"},
    "account": {"status": "active"},
    "recovery": {"action": "at_risk"},
    "ticket": {"action": "updated"},
    "feedback": {"survey": "csat", "score": 4},
    "item": {"kind": "risk", "status": "open"},
}
"""The least that every family takes."""
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For laws: a busy machine is no counter-example."""


def decoder(limits: Limits = LIMITS) -> Decoder:
    """A decoder that remembers nothing yet."""
    return Decoder(HASHER, limits)


def event(family: str, data: dict[str, Any] | None = None, /, **attributes: Any) -> dict[str, Any]:
    """An event of a family: its least data with `data` laid over it; the attribute ... is left out."""
    laid = {**LEAST_DATA[family], **(data or {})}
    envelope = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/tests",
        "type": TYPE.format(family),
        "time": "2025-11-17T11:00:00Z",
        "subject": "subject-1",
        "data": {name: value for name, value in laid.items() if value is not ...},
        **attributes,
    }
    return {name: value for name, value in envelope.items() if value is not ...}


def text(document: object) -> bytes:
    """JSON, with everything beyond ASCII escaped, as most clients do."""
    return json.dumps(document).encode()


def decode(document: object, form: Form = Form.JSON, stamp: Stamp = LIVE) -> Batch:
    """Decode one event (or a list of them) with a fresh decoder."""
    return decoder().decode(document if isinstance(document, bytes) else text(document), form, stamp)


def row_of(document: object, stamp: Stamp = LIVE) -> Any:
    """The row of an event that must be accepted."""
    batch = decode(document, stamp=stamp)
    assert not batch.rejected, batch.rejected
    ((row,),) = rows_of(batch).values()
    return row


def rejection_of(document: object) -> Rejection:
    """The rejection of an event that must be refused."""
    batch = decode(document)
    assert batch.accepted == 0, batch.rows
    (rejection,) = batch.rejected
    return rejection


def verdict(document: object) -> Reason | None:
    """None for an accepted event, else the reason; the same alone, among good ones and as a line."""
    raw = document if isinstance(document, bytes) else text(document)
    good = text(event("probe"))
    alone = decode(raw).rejected
    among = decode(b"[%s,%s]" % (good, raw))
    line = decode(b"%s\n%s" % (good, raw), Form.NDJSON)
    assert rows_of(among)["probe"]
    assert rows_of(line)["probe"]
    assert [(one.reason, one.detail) for one in alone] == [(one.reason, one.detail) for one in among.rejected]
    assert among.rejected == line.rejected
    return alone[0].reason if alone else None


assert set(LEAST_DATA) == {family.name for family in BY_TYPE.values()}
