"""Tenants have a name and a time zone that both Python and Postgres know."""

import asyncpg
import pytest

from service.errors import AlreadyExists, InvalidArgument, NotFound
from service.store.tenants import Tenant, create_tenant, list_tenants, tenant_by_name


async def test_a_tenant_is_found_again_by_its_name(connection: asyncpg.Connection) -> None:
    made = await create_tenant(connection, "pilot-1", "America/New_York")
    assert made == Tenant(made.id, "pilot-1", "America/New_York", 0)
    assert await tenant_by_name(connection, "pilot-1") == made


async def test_tenants_are_listed_by_name(connection: asyncpg.Connection) -> None:
    for name in ("b", "a"):
        await create_tenant(connection, name, "UTC")
    assert [tenant.name for tenant in await list_tenants(connection)] == ["a", "b"]


async def test_a_name_is_given_once(connection: asyncpg.Connection) -> None:
    await create_tenant(connection, "pilot", "UTC")
    with pytest.raises(AlreadyExists, match="pilot"):
        await create_tenant(connection, "pilot", "UTC")


async def test_a_tenant_that_is_not_there_says_how_to_find_one(connection: asyncpg.Connection) -> None:
    with pytest.raises(NotFound, match="tenants list"):
        await tenant_by_name(connection, "nobody")


@pytest.mark.parametrize("name", ["", "Pilot", "a b", "a" * 64, "pilot\n", "ä", "a_b"])
async def test_a_name_that_cannot_be_is_refused(connection: asyncpg.Connection, name: str) -> None:
    with pytest.raises(InvalidArgument, match="up to 63"):
        await create_tenant(connection, name, "UTC")


@pytest.mark.parametrize("name", ["a", "0", "a" * 63, "-"])
async def test_a_name_at_its_limits_is_taken(connection: asyncpg.Connection, name: str) -> None:
    assert (await create_tenant(connection, name, "UTC")).name == name


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "localtime", "Factory", "UTC+3", "../etc/passwd", "america/new_york "])
async def test_a_time_zone_that_nobody_knows_is_refused(connection: asyncpg.Connection, zone: str) -> None:
    with pytest.raises(InvalidArgument, match="IANA"):
        await create_tenant(connection, "pilot", zone)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Argentina/Buenos_Aires"])
async def test_zones_with_any_offset_are_taken(connection: asyncpg.Connection, zone: str) -> None:
    assert (await create_tenant(connection, "pilot", zone)).timezone == zone
