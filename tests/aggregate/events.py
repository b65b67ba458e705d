"""Rows as ingest makes them, with only what a test is about spelled out."""

from typing import Any, TypeVar

from service.clock import SECOND
from service.domain.families.rows import RequestRow, Row, UsageRow, UserRow
from tests.aggregate.conftest import Site

R = TypeVar("R", bound=Row)


class Events:
    """Makes rows for a site; received now unless it is said."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._hasher = site.hasher
        self._count = 0

    def make(self, row_type: type[R], *, time_us: int | None = None, received_us: int | None = None, **fields: Any) -> R:
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

    def request(self, **fields: Any) -> RequestRow:
        return self.make(RequestRow, **(dict[str, Any](service="api", status=200, latency_ns=5_000_000) | fields))

    def usage(self, **fields: Any) -> UsageRow:
        return self.make(UsageRow, **(dict[str, Any](user="ada", feature="export") | fields))

    def user(self, **fields: Any) -> UserRow:
        return self.make(UserRow, **(dict[str, Any](user="ada") | fields))


def seconds_ago(site: Site, seconds: float) -> int:
    """An instant so long before now."""
    return site.clock.now_us() - int(seconds * SECOND)
