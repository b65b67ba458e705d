"""When an account reached a milestone."""

from service.store.engine import Connection

# The instant at which an account reached a milestone, sent or derived.
ACCOUNT_REACHED = """
select min(time_us) from milestone where tenant = $1 and kind = 'account' and milestone = $2 and who = $3
"""


async def account_reached_us(connection: Connection, tenant: int, milestone: str, account: str) -> int | None:
    """The instant in microseconds since 1970; None: not yet."""
    found: int | None = await connection.fetchval(ACCOUNT_REACHED, tenant, milestone, account)
    return found
