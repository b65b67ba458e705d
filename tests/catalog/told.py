"""Filling what was told of accounts by hand: dated values, traits, milestones."""

import asyncpg

COLUMNS = ("tenant", "kind", "field", "who", "account", "time_us", "source", "id", "value")


async def tell(connection: asyncpg.Connection, tenant: int, account: str, at_us: int, **values: str) -> None:
    """Write what an event said of an account at an instant: values with their dates."""
    rows = [
        (tenant, "account", field, account, account, at_us, "/s", f"{account}-{at_us}", value) for field, value in values.items()
    ]
    await connection.copy_records_to_table("state_history", records=rows, columns=COLUMNS)
    await reach(connection, tenant, account, at_us, "~known")


async def describe(connection: asyncpg.Connection, tenant: int, account: str, **traits: str) -> None:
    """Write an account's newest traits."""
    rows = [(tenant, "account", f"trait.{name}", account, account, 1, "/s", "1", value) for name, value in traits.items()]
    await connection.copy_records_to_table("state", records=rows, columns=COLUMNS)
    await reach(connection, tenant, account, 1, "~known")


async def reach(connection: asyncpg.Connection, tenant: int, account: str, at_us: int, milestone: str) -> None:
    """Write the earliest of an account's milestone."""
    await connection.execute(
        "insert into milestone (tenant, kind, milestone, who, account, time_us, source, id)"
        " values ($1, 'account', $2, $3, $3, $4, '/s', '1')"
        " on conflict (tenant, kind, milestone, who, account) do update set time_us = least(milestone.time_us, excluded.time_us)",
        tenant,
        milestone,
        account,
        at_us,
    )
