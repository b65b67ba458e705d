"""Which tenants flushes have touched: what the evaluator looks at."""

from dataclasses import dataclass

from service.store.engine import Connection

# Every tenant that has ever had events, with its count of flushes and the version of what it declares.
_TENANTS = """
select d.tenant, t.name, t.timezone, t.config_version, d.flush
from tenant_dirty d join tenant t on t.id = d.tenant
order by d.tenant
"""


@dataclass(frozen=True, slots=True)
class Touched:
    """A tenant with events."""

    tenant: int
    name: str
    timezone: str
    config_version: int
    flush: int
    """Flushes that touched it, and rebuilt segments, ever."""


async def touched_tenants(connection: Connection) -> list[Touched]:
    """All tenants with events, by their number."""
    return [Touched(**dict(row)) for row in await connection.fetch(_TENANTS)]
