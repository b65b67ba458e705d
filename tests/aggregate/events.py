"""Rows as ingest makes them, with only what a test is about spelled out."""

from typing import Any, TypeVar

from service.clock import SECOND
from service.domain.families.rows import RequestRow, Row, UsageRow, UserRow
from tests.aggregate.conftest import Site

R = TypeVar("R", bound=Row)

LATE_RAW_S = 3_600


class Events:
    """Makes rows for a site; `received` is now unless it is said."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._hasher = site.hasher
        self._count = 0

    def _row(self, row_type: type[R], *, received_us: int | None, time_us: int | None, fields: dict[str, Any]) -> R:
        self._count += 1
        tenant = fields.pop("tenant", self._site.tenant)
        source = fields.pop("source", "test/service")
        event_id = fields.pop("id", f"event-{self._count}")
        received = self._site.clock.now_us() if received_us is None else received_us
        head = {
            "id_hash": self._hasher.of(tenant, source, event_id, time_us),
            "tenant": tenant,
            "source": source,
            "id": event_id,
            "time_us": time_us,
            "received_us": received,
            "account": fields.pop("account", ""),
            "backfill": fields.pop("backfill", False),
            "raw": fields.pop("raw", b'{"id": "%s"}' % event_id.encode()),
        }
        return row_type(**head, **fields)

    def request(self, *, time_us: int | None = None, received_us: int | None = None, **fields: Any) -> RequestRow:
        plain = {"service": "api", "status": 200, "latency_ns": 5_000_000} | fields
        return self._row(RequestRow, received_us=received_us, time_us=time_us, fields=plain)

    def usage(self, *, time_us: int | None = None, received_us: int | None = None, **fields: Any) -> UsageRow:
        plain = {"user": "ada", "feature": "export"} | fields
        return self._row(UsageRow, received_us=received_us, time_us=time_us, fields=plain)

    def user(self, *, time_us: int | None = None, received_us: int | None = None, **fields: Any) -> UserRow:
        return self._row(UserRow, received_us=received_us, time_us=time_us, fields={"user": "ada"} | fields)


def seconds_ago(site: Site, seconds: float) -> int:
    """An instant so long before now."""
    return site.clock.now_us() - int(seconds * SECOND)
