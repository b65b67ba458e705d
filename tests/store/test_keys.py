"""A key is 256 random bits, kept as a hash, alive until it is revoked."""

import asyncpg
import pytest

from service.errors import InvalidArgument, NotFound
from service.store import keys
from service.store.keys import create_key, find_key, hash_of, list_keys, looks_like_a_key, revoke_key
from service.store.tenants import Tenant, create_tenant


@pytest.fixture
async def tenant(connection: asyncpg.Connection) -> Tenant:
    return await create_tenant(connection, "pilot", "UTC")


async def test_a_key_is_found_by_the_hash_of_its_secret(connection: asyncpg.Connection, tenant: Tenant) -> None:
    key, secret = await create_key(connection, tenant, ["read", "ingest"], "web")
    assert await find_key(connection, hash_of(secret)) == key
    assert (key.tenant, key.tenant_name, key.name, key.scopes) == (tenant.id, "pilot", "web", frozenset({"read", "ingest"}))
    assert key.revoked_at is None


async def test_a_secret_has_256_bits_and_the_shape_of_a_key(connection: asyncpg.Connection, tenant: Tenant) -> None:
    secrets = {(await create_key(connection, tenant, ["read"]))[1] for _ in range(20)}
    assert len(secrets) == 20
    assert all(looks_like_a_key(secret) and len(secret) == len("tg_") + 43 for secret in secrets)


async def test_nothing_of_a_secret_is_stored(connection: asyncpg.Connection, tenant: Tenant) -> None:
    _, secret = await create_key(connection, tenant, ["read"], "web")
    row = await connection.fetchrow("select * from api_key")
    assert row is not None
    stored = repr(dict(row))
    assert secret not in stored
    assert secret[3:20] not in stored


async def test_a_revoked_key_is_found_no_more_but_listed(connection: asyncpg.Connection, tenant: Tenant) -> None:
    key, secret = await create_key(connection, tenant, ["read"])
    ended = await revoke_key(connection, key.id)
    assert ended.revoked_at is not None
    assert (await revoke_key(connection, key.id)).revoked_at == ended.revoked_at
    assert await find_key(connection, hash_of(secret)) is None
    assert await list_keys(connection, tenant) == [ended]


async def test_keys_of_other_tenants_are_not_listed(connection: asyncpg.Connection, tenant: Tenant) -> None:
    other = await create_tenant(connection, "other", "UTC")
    await create_key(connection, other, ["read"])
    assert await list_keys(connection, tenant) == []


async def test_revoking_a_key_that_is_not_there_says_so(connection: asyncpg.Connection) -> None:
    with pytest.raises(NotFound, match="keys list"):
        await revoke_key(connection, "nothing")


@pytest.mark.parametrize(("scopes", "match"), [(["write"], "write"), ([], "at least one")])
async def test_scopes_that_cannot_be_are_refused(
    connection: asyncpg.Connection, tenant: Tenant, scopes: list[str], match: str
) -> None:
    with pytest.raises(InvalidArgument, match=match):
        await create_key(connection, tenant, scopes)


async def test_the_number_of_keys_has_a_limit(
    connection: asyncpg.Connection, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "MAX_KEYS", 1)
    key, _ = await create_key(connection, tenant, ["read"])
    with pytest.raises(InvalidArgument, match="revoke"):
        await create_key(connection, tenant, ["read"])
    await revoke_key(connection, key.id)
    await create_key(connection, tenant, ["read"])


@pytest.mark.parametrize("name", ["x" * 101, "a\0b"])
async def test_a_name_that_cannot_be_is_refused(connection: asyncpg.Connection, tenant: Tenant, name: str) -> None:
    with pytest.raises(InvalidArgument, match="100"):
        await create_key(connection, tenant, ["read"], name)


@pytest.mark.parametrize("text", ["", "tg_", "tg_" + "a" * 42, "tg_" + "a" * 44, "xx_" + "a" * 43, "tg_" + "a" * 42 + "\n"])
def test_what_is_no_key_is_not_looked_up(text: str) -> None:
    assert not looks_like_a_key(text)
