"""Which schema a database has, and which one this release works on."""

from pathlib import Path

import asyncpg

from service.errors import SchemaMismatch, StoreUnavailable
from service.store.engine import FAILURES, Connection

# The newest migration that was run; the table is there from the first one on.
SELECT_REVISION = "select version_num from alembic_version"

# Aggregators and evaluators that hold a lease, or live and may take one at any moment: idle ones, and those that stand by.
# One that ends says so; a killed one counts until its leases expire.
SELECT_AT_WORK = """
select distinct format('%s on %s (process %s)', w.role, w.host, w.pid)
from worker w
where w.beat_at > clock_timestamp() - $1 * interval '1 second'
    or exists (select from lease l where l.owner = w.id and l.expires_at > clock_timestamp())
order by 1
"""


def scripts() -> Path:
    """Where the migrations are."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_migrations"
    # First what a wheel brought: beside an installed package may lie anybody's `migrations`.
    return installed if installed.is_dir() else package.parent / "migrations"


def newest() -> str:
    """The revision that this release brings a database to: the number that the last migration's file begins with."""
    return max(file.name.partition("_")[0] for file in (scripts() / "versions").glob("[0-9]*.py"))


async def revision(connection: Connection) -> str | None:
    """The revision of a database; None: it has no schema yet. Raises StoreUnavailable."""
    try:
        found: str | None = await connection.fetchval(SELECT_REVISION)
    except asyncpg.UndefinedTableError:
        return None
    except FAILURES as error:
        raise StoreUnavailable(f"the schema cannot be read: {str(error) or type(error).__name__}") from error
    return found


async def at_work(connection: Connection, *, lease_s: float) -> list[str]:
    """Who writes under a lease at the moment or may at the next, named for people; silent ones are gone after `lease_s`."""
    return [row[0] for row in await connection.fetch(SELECT_AT_WORK, lease_s)]


async def check_schema(connection: Connection, *, writes: bool) -> None:
    """Hold the database against this release; raises SchemaMismatch and StoreUnavailable.

    A newer schema is refused to roles that write rollups (`writes`): what they know may have moved. The others go on with it, so
    that a door stays open while a newer release takes over.
    """
    found, needed = await revision(connection), newest()
    if found is None:
        raise SchemaMismatch("the database has no schema yet: run `tidegauge migrate`")
    if found < needed:
        raise SchemaMismatch(f"the database has schema {found}, and this release needs {needed}: run `tidegauge migrate`")
    if writes and found > needed:
        raise SchemaMismatch(
            f"the database has schema {found} of a newer release, and this one knows {needed}: run the newer release, or set "
            "TIDEGAUGE_ALLOW_NEWER_SCHEMA=true if its changelog names nothing that moved"
        )
