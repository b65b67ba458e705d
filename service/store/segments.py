"""Segments: users by their traits as they are now, as bits over ordinals; rebuilt for what changed."""

from service.store.engine import Connection

MAX_CHUNKS = 64

# Takes chunks of users whose traits changed; another evaluator's are skipped.
_TAKE = """
delete from segment_dirty
where (tenant, chunk) in (select tenant, chunk from segment_dirty order by tenant, chunk limit $1 for update skip locked)
returning tenant, chunk
"""

# Forgets the segments of these chunks.
_FORGET = """
delete from segment s using unnest($1::int[], $2::int[]) as c(tenant, chunk)
where s.tenant = c.tenant and s.chunk = c.chunk
"""

# Builds them again: of a user's values of one trait the newest by (time, source, id), whatever account it came with.
_BUILD = """
insert into segment (tenant, dimension, value, chunk, bits)
select tenant, dimension, value, chunk, bit_or(set_bit(repeat('0', 2048)::bit(2048), place, 1))
from (
  select distinct on (u.tenant, u.ordinal, s.field)
         u.tenant, substr(s.field, 7) as dimension, s.value, c.chunk, u.ordinal - c.chunk * 2048 as place
  from unnest($1::int[], $2::int[]) as c(tenant, chunk)
  join app_user u on u.tenant = c.tenant and u.ordinal >= c.chunk * 2048 and u.ordinal < (c.chunk + 1) * 2048
  join state s on s.tenant = u.tenant and s.kind = 'user' and s.who = u.user_id and s.field like 'trait.%'
  order by u.tenant, u.ordinal, s.field, s.time_us desc, s.source collate "C" desc, s.id collate "C" desc
) newest
group by tenant, dimension, value, chunk
"""

# Figures by trait are others from now on: answers that were given are no longer known, live values are due again.
# Tenants in their order, as a flush takes them, so that the two never wait for each other.
_TOUCH = """
with held as materialized (
  select tenant from tenant_dirty where tenant = any($1::int[]) order by tenant for update
)
update tenant_dirty d set flush = d.flush + 1 from held h where d.tenant = h.tenant
"""


async def rebuild(connection: Connection) -> int:
    """Rebuild the segments of at most MAX_CHUNKS changed chunks, in one transaction; how many there were.

    A flush that changes a chunk meanwhile marks it anew, for the next call.
    """
    async with connection.transaction():
        taken = await connection.fetch(_TAKE, MAX_CHUNKS)
        if not taken:
            return 0
        keys = ([row["tenant"] for row in taken], [row["chunk"] for row in taken])
        await connection.execute(_FORGET, *keys)
        await connection.execute(_BUILD, *keys)
        await connection.execute(_TOUCH, keys[0])
    return len(taken)
