"""A demonstration whose first start was killed is made whole by the next one."""

from pathlib import Path

import asyncpg

from service.clock import SystemClock
from service.demo import setup
from service.store.tenants import create_tenant, tenant_by_name


async def test_a_demonstration_that_was_killed_before_its_configuration_gets_it(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    await create_tenant(connection, setup.TENANT, "UTC")
    made = await setup.prepare(database_url, tmp_path, SystemClock())
    assert (await tenant_by_name(connection, setup.TENANT)).config_version == 1
    assert await setup.prepare(database_url, tmp_path, SystemClock()) == made
    assert (await tenant_by_name(connection, setup.TENANT)).config_version == 1
