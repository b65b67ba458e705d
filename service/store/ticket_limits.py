"""Open tickets whose limits end soon, by tenant: from what the evaluator keeps of the time that they have left."""

from service.store.engine import Connection

# Tenants with open tickets of which a limit ends after $1 and up to $2 (microseconds since 1970), and how many they are.
_NEAR = """
select t.name, count(*) as tickets
from ticket_due d
join tenant t on t.id = d.tenant
where d.response_due_us > $1 and d.response_due_us <= $2
   or d.mitigation_due_us > $1 and d.mitigation_due_us <= $2
   or d.resolution_due_us > $1 and d.resolution_due_us <= $2
group by t.name
"""


async def near(connection: Connection, *, from_us: int, to_us: int) -> dict[str, int]:
    """How many open tickets have a limit that ends after `from_us` and up to `to_us`, by tenant; none are left out."""
    return {row["name"]: row["tickets"] for row in await connection.fetch(_NEAR, from_us, to_us)}
