"""How a tenant's figures stand at the moment: what an answer is made from, and its ETag."""

from dataclasses import dataclass

from service.errors import NotFound
from service.store.engine import Connection

# The tenant's flushes and configuration, and how far the log has been read, in one round trip.
SELECT_STANDING = """
select t.config_version, coalesce(d.flush, 0) as flush,
       coalesce((select min(greatest(p.newest_received_us, p.drained_us))
                 from partition_progress p join installation i on i.generation = p.generation), 0) as watermark_us
from tenant t left join tenant_dirty d on d.tenant = t.id
where t.id = $1
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """Whatever changes a figure of a tenant changes this."""

    config_version: int
    flush: int
    """Flushes that touched the tenant, and rebuilt segments, ever."""
    watermark_us: int
    """Everything received before this instant stands in the rollups."""


async def standing(connection: Connection, tenant: int) -> Standing:
    """Read how a tenant stands; raises NotFound."""
    row = await connection.fetchrow(SELECT_STANDING, tenant)
    if row is None:
        raise NotFound(f"there is no tenant {tenant}")
    return Standing(**dict(row))
