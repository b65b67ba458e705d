"""Which tenants flushes have touched: what the evaluator looks at."""

from dataclasses import dataclass

from service.store.engine import Connection

# Every tenant, with its count of flushes (0: it never had events) and the version of what it declares.
_TENANTS = """
select t.id as tenant, t.name, t.timezone, t.config_version, coalesce(d.flush, 0) as flush
from tenant t left join tenant_dirty d on d.tenant = t.id
order by t.id
"""

# Those of them that ever had events.
_TOUCHED = """
select d.tenant, t.name, t.timezone, t.config_version, d.flush
from tenant_dirty d join tenant t on t.id = d.tenant
order by d.tenant
"""


@dataclass(frozen=True, slots=True)
class Touched:
    """A tenant, and what flushes did for it."""

    tenant: int
    name: str
    timezone: str
    config_version: int
    flush: int
    """Flushes that touched it, and rebuilt segments, ever; 0: it never had events."""


async def touched_tenants(connection: Connection) -> list[Touched]:
    """All tenants with events, by their number."""
    return [Touched(**dict(row)) for row in await connection.fetch(_TOUCHED)]


async def every_tenant(connection: Connection) -> list[Touched]:
    """All tenants, also those without events, by their number."""
    return [Touched(**dict(row)) for row in await connection.fetch(_TENANTS)]
