"""Records of former generations of the log in Postgres: all were consumed, and go when they are as old as consumed ones do."""

import asyncpg

from service.errors import LogUnavailable
from service.eventlog.postgres import FAILURES, MAX_TRIM_RECORDS
from service.eventlog.postgres_statements import DELETE_FORMER


async def trim_former(pool: asyncpg.Pool, before_generation: int, *, older_than_us: int) -> int:
    """Drop the records of generations before one that were appended before an instant; returns how many.

    Some at a time, each in a transaction of its own. Raises LogUnavailable.
    """
    dropped = 0
    try:
        async with pool.acquire() as connection:
            while deleted := int(
                (await connection.execute(DELETE_FORMER, before_generation, older_than_us, MAX_TRIM_RECORDS)).rsplit(" ", 1)[-1]
            ):
                dropped += deleted
    except FAILURES as error:
        raise LogUnavailable(f"former generations of the log cannot be trimmed: {str(error) or type(error).__name__}") from error
    return dropped
