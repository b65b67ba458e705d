"""What open tickets have left, kept for the view `grafana.ticket`: limits count business hours, which no view can."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.store.engine import Connection
from service.store.tickets import GO_LIVE, TIER, Ticket

# The open tickets of some tenants, so many each, the newest opened first; excluded ones have no limits.
_OPEN = f"""
select c.*, r.tier, g.go_live_us
from unnest($1::int[]) as o(tenant)
cross join lateral (
  select * from ticket where tenant = o.tenant and resolved_us is null and not excluded
  order by opened_us desc, subject desc limit $2
) c
left join lateral ({TIER.strip()}) r on true
left join lateral ({GO_LIVE.strip()}) g on true
order by c.tenant
"""

# What these tenants' open tickets have left, in place of what they had: rows that say the same are not written.
_KEEP = """
with wanted as (
  select * from unnest($2::int[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::int[])
    as w(tenant, subject, response_due_us, mitigation_due_us, resolution_due_us, escalation)
), gone as (
  delete from ticket_due d where d.tenant = any($1::int[])
    and not exists (select from wanted w where w.tenant = d.tenant and w.subject = d.subject)
)
insert into ticket_due as d (tenant, subject, response_due_us, mitigation_due_us, resolution_due_us, escalation)
select * from wanted
on conflict (tenant, subject) do update
set response_due_us = excluded.response_due_us, mitigation_due_us = excluded.mitigation_due_us,
    resolution_due_us = excluded.resolution_due_us, escalation = excluded.escalation
where (d.response_due_us, d.mitigation_due_us, d.resolution_due_us, d.escalation)
  is distinct from (excluded.response_due_us, excluded.mitigation_due_us, excluded.resolution_due_us, excluded.escalation)
"""


@dataclass(frozen=True, slots=True)
class Left:
    """What an open ticket has left: when each of its limits ends, None where there is none or its clock has stopped."""

    tenant: int
    subject: str
    due_us: Mapping[str, int]
    """By `response`, `mitigation`, `resolution`."""
    escalation: int
    """The level that it should have reached by now, 0 to 4."""


async def open_tickets(connection: Connection, tenants: Sequence[int], *, most: int) -> list[tuple[int, Ticket]]:
    """The open tickets of these tenants, at most `most` each, with their tenant."""
    rows = await connection.fetch(_OPEN, tenants, most)
    return [(row["tenant"], Ticket(**{field: row[field] for field in Ticket.__slots__})) for row in rows]


async def keep_left(connection: Connection, tenants: Sequence[int], left: Sequence[Left]) -> None:
    """Make `left` all that these tenants' open tickets have left."""
    measures = ([each.due_us.get(name) for each in left] for name in ("response", "mitigation", "resolution"))
    await connection.execute(
        _KEEP,
        tenants,
        [each.tenant for each in left],
        [each.subject for each in left],
        *measures,
        [each.escalation for each in left],
    )
