"""When accounts reached a milestone."""

from collections.abc import Sequence

from service.store.engine import Connection

# The instant at which the last of some accounts reached a milestone, sent or derived; null until all of them have.
ACCOUNTS_REACHED = """
select case when count(r.at_us) = count(*) then max(r.at_us) end
from (select distinct unnest($3::text[]) as who) a
left join lateral (
    select min(time_us) as at_us from milestone m
    where m.tenant = $1 and m.kind = 'account' and m.milestone = $2 and m.who = a.who
) r on true
"""


async def accounts_reached_us(connection: Connection, tenant: int, milestone: str, accounts: Sequence[str]) -> int | None:
    """The instant in microseconds since 1970; None: not all of them have."""
    found: int | None = await connection.fetchval(ACCOUNTS_REACHED, tenant, milestone, list(accounts))
    return found
