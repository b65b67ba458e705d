"""Migrations that add up uses: what they write of what there is, and what a flush writes, are the same."""

from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from alembic.script import ScriptDirectory

from service.clock import DAY, to_us
from service.domain.families.usage import NAMED, OF_ACCOUNT
from service.store.migrate import config
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store

NOON_US = to_us(datetime(2025, 11, 20, 12, tzinfo=UTC))
TABLES = ("fact_minute", "fact_quarter", "fact_day")


@pytest.fixture
async def tenants(connection: asyncpg.Connection) -> list[int]:
    """Two that use the same features in several accounts and outside of any; written as flushes write it."""
    await make_partitions(connection)
    made = [await make_tenant(connection, name, "Asia/Kathmandu") for name in ("uses-a", "uses-b")]
    for number, tenant in enumerate(made):
        uses = [
            Observation(
                NOON_US + n * DAY // 7,
                {"feature": f"f{n % 3}"} | ({"ok": "false"} if n % 5 == 0 else {}),
                account=("", "acme", "globex")[n % 4 % 3],
                value=(n + 1 + number) * 500_000_000,
            )
            for n in range(60)
        ]
        await store(connection, tenant, "usage", "Asia/Kathmandu", uses, distribution=False)
    return made


@pytest.mark.parametrize(("revision", "kind"), [("0022", NAMED), ("0027", OF_ACCOUNT)])
async def test_what_was_used_before_is_added_up_by_the_migration_as_flushes_do(
    connection: asyncpg.Connection, tenants: list[int], revision: str, kind: str
) -> None:
    migration = ScriptDirectory.from_config(config()).get_revision(revision).module
    flushed = await _kept(connection, tenants, kind)
    for table in TABLES:
        await connection.execute(migration.FORGET.format(table=table))
    await connection.execute(f"delete from series where kind = '{kind}'")
    await connection.execute(migration.SERIES)
    for table, key in migration.TABLES.items():
        await connection.execute(migration.FACTS.format(table=table, key=key))
    assert len(flushed) > len(TABLES)
    assert await _kept(connection, tenants, kind) == flushed


async def _kept(connection: asyncpg.Connection, tenants: list[int], kind: str) -> list[tuple[Any, ...]]:
    """Tenant, account, dimensions, table, bucket, count and sum of what is kept of a kind."""
    rows = []
    for table, key in zip(TABLES, ("bucket", "bucket", "day"), strict=True):
        found = await connection.fetch(
            f"select s.tenant, s.account, s.dims::text, f.{key}, f.n, f.total from {table} f join series s on s.id = f.series"
            " where s.kind = $1 and s.tenant = any($2) order by 1, 2, 3, 4",
            kind,
            tenants,
        )
        rows += [(table, *row) for row in found]
    return rows
