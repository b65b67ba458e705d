"""Keys are remembered for a few seconds: revoked ones stop, known ones outlive an outage of Postgres."""

import asyncio
import base64
from collections.abc import AsyncIterator

import asyncpg
import pytest

from service.errors import StoreUnavailable
from service.http import auth
from service.http.auth import Keyring
from service.http.problems import Problem
from service.store.engine import create_pool
from service.store.keys import create_key, find_key, revoke_key
from service.store.tenants import create_tenant
from tests.http.clocks import HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await create_pool(database_url, max_size=2)
    try:
        yield pool
    finally:
        await pool.close()


@pytest.fixture
def keyring(pool: asyncpg.Pool, clock: HandClock) -> Keyring:
    return Keyring(pool, clock, refresh_s=5)


@pytest.fixture
async def key(connection: asyncpg.Connection) -> tuple[str, str]:
    tenant = await create_tenant(connection, "pilot", "UTC")
    made, secret = await create_key(connection, tenant, ["ingest"])
    return made.id, secret


async def refused(keyring: Keyring, header: str | None) -> str:
    with pytest.raises(Problem) as caught:
        await keyring.authenticate(header)
    assert caught.value.kind.status == 401
    assert "WWW-Authenticate" in caught.value.headers
    return caught.value.detail


async def is_refused(keyring: Keyring, header: str) -> bool:
    try:
        await keyring.authenticate(header)
    except Problem as problem:
        return problem.kind.status == 401
    return False


@pytest.mark.parametrize("form", ["Bearer {0}", "bearer   {0} ", "BEARER {0}"])
async def test_a_key_is_taken_as_a_bearer(keyring: Keyring, key: tuple[str, str], form: str) -> None:
    principal = await keyring.authenticate(form.format(key[1]))
    assert (principal.key_id, principal.tenant_name, set(principal.scopes)) == (key[0], "pilot", {"ingest"})


@pytest.mark.parametrize("password", [":", ":x", ""])
async def test_a_key_is_taken_as_a_basic_user_name(keyring: Keyring, key: tuple[str, str], password: str) -> None:
    header = "Basic " + base64.b64encode(f"{key[1]}{password}".encode()).decode()
    assert (await keyring.authenticate(header)).key_id == key[0]


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer nonsense", "Digest x", "Basic ???", "Basic /w==", "Bearer tg_" + "A" * 43, "tg_" + "A" * 43],
)
async def test_no_valid_key_is_401(keyring: Keyring, header: str | None) -> None:
    await refused(keyring, header)


async def test_a_known_key_needs_no_postgres(keyring: Keyring, key: tuple[str, str], pool: asyncpg.Pool) -> None:
    await keyring.authenticate(f"Bearer {key[1]}")
    held = [await pool.acquire(), await pool.acquire()]
    assert (await keyring.authenticate(f"Bearer {key[1]}")).key_id == key[0]
    for one in held:
        await pool.release(one)


async def test_a_revoked_key_stops_within_the_refresh_time(
    keyring: Keyring, key: tuple[str, str], connection: asyncpg.Connection, clock: HandClock
) -> None:
    header = f"Bearer {key[1]}"
    await keyring.authenticate(header)
    await revoke_key(connection, key[0])
    clock.move(5.001)
    assert "revoked" in await refused(keyring, header)


async def test_a_key_is_asked_for_again_before_anybody_has_to_wait(
    keyring: Keyring, key: tuple[str, str], connection: asyncpg.Connection, clock: HandClock
) -> None:
    header = f"Bearer {key[1]}"
    await keyring.authenticate(header)
    await revoke_key(connection, key[0])
    clock.move(3)
    await keyring.authenticate(header)  # answered from memory, and the question is on its way
    async with asyncio.timeout(60):
        while not await is_refused(keyring, header):  # noqa: ASYNC110  # the question sets no event
            await asyncio.sleep(0.01)


async def test_a_key_that_is_made_after_it_was_refused_works_a_second_later(
    keyring: Keyring, connection: asyncpg.Connection, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "A" * 43
    await refused(keyring, f"Bearer tg_{secret}")
    monkeypatch.setattr("service.store.keys.secrets.token_urlsafe", lambda _: secret)
    await create_key(connection, await create_tenant(connection, "late", "UTC"), ["read"])
    await refused(keyring, f"Bearer tg_{secret}")
    clock.move(1.001)
    assert (await keyring.authenticate(f"Bearer tg_{secret}")).tenant_name == "late"


async def test_a_known_key_outlives_an_outage_of_postgres_for_an_hour(
    keyring: Keyring, key: tuple[str, str], pool: asyncpg.Pool, clock: HandClock
) -> None:
    header = f"Bearer {key[1]}"
    await keyring.authenticate(header)
    pool.terminate()
    for seconds in (6, 60, 3500):
        clock.move(seconds)
        assert (await keyring.authenticate(header)).key_id == key[0]
    clock.move(3600)
    with pytest.raises(StoreUnavailable):
        await keyring.authenticate(header)


async def test_an_unknown_key_is_not_called_invalid_while_postgres_is_away(keyring: Keyring, pool: asyncpg.Pool) -> None:
    pool.terminate()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await keyring.authenticate("Bearer tg_" + "A" * 43)


async def test_many_requests_with_one_new_key_ask_once(
    keyring: Keyring, key: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    real = find_key

    async def counting(connection: asyncpg.Connection, key_hash: bytes) -> object:
        nonlocal asked
        asked += 1
        return await real(connection, key_hash)

    monkeypatch.setattr(auth, "find_key", counting)
    await asyncio.gather(*(keyring.authenticate(f"Bearer {key[1]}") for _ in range(50)))
    assert asked == 1


async def test_the_keys_in_memory_are_bounded(
    keyring: Keyring, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "MAX_KNOWN", 2)
    monkeypatch.setattr(auth, "MAX_UNKNOWN", 2)
    tenant = await create_tenant(connection, "pilot", "UTC")
    for letter in "ABC":
        _, secret = await create_key(connection, tenant, ["read"])
        await keyring.authenticate(f"Bearer {secret}")
        await refused(keyring, "Bearer tg_" + letter * 43)
    assert (len(keyring._known), len(keyring._unknown)) == (2, 2)
