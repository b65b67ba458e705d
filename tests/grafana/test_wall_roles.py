"""`tidegauge grafana-role` makes, renews and drops the role that reads a tenant; what a session may hold is bounded."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from service.cli.commands import app
from service.errors import AlreadyExists, InvalidArgument, NotFound
from service.store.embedded import EmbeddedPostgres
from service.store.grafana import (
    CONNECTIONS,
    SPILLED,
    create_reader,
    drop_reader,
    new_password,
    put_out_readers,
    renew_password,
    role_of,
)
from service.store.grafana_doors import OPEN_FUNCTIONS, OPEN_RIGHTS, close_doors
from service.store.migrate import migrate
from service.store.scram import verifier
from service.store.tenants import create_tenant, tenant_by_name
from tests.grafana.stored import as_role

PATIENCE_S = 120
PASSWORD = "correct horse battery staple"  # noqa: S105  # of roles that live as long as a test


@pytest.fixture(autouse=True)
def _database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGAUGE_DATABASE_URL", database_url)


@pytest.fixture(autouse=True)
async def _tenant(connection: asyncpg.Connection) -> AsyncIterator[None]:
    await create_tenant(connection, "pilot", "UTC")
    yield
    # Roles are the cluster's: what a test leaves would stay when its database goes.
    for row in await connection.fetch("select role from grafana_reader"):
        await connection.execute(f"drop owned by {row['role']}; drop role {row['role']}")


async def run(*words: str | Path) -> Result:
    """A command's result; it runs in a thread, for it has an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, app, ["grafana-role", *(str(word) for word in words)])


def end_of(session: asyncpg.Connection) -> asyncio.Event:
    """What is set when the session has ended."""
    ended = asyncio.Event()
    session.add_termination_listener(lambda _: ended.set())
    return ended


async def test_a_role_and_its_password_are_shown_once_and_only_the_verifier_is_kept(connection: asyncpg.Connection) -> None:
    result = await run("pilot")
    assert result.exit_code == 0, result.output
    role, password = result.stdout.splitlines()
    assert "pilot" not in role, "the names of roles are seen by all"
    assert len(password) >= 32
    kept = await connection.fetchval("select rolpassword from pg_authid where rolname = $1", role)
    assert kept.startswith("SCRAM-SHA-256$")
    assert password not in kept
    again = await run("pilot")
    assert isinstance(again.exception, AlreadyExists)
    assert role in str(again.exception)


async def test_the_verifier_is_the_one_that_postgres_makes_of_the_same_password(connection: asyncpg.Connection) -> None:
    async with connection.transaction():
        await connection.execute(f"create role made_by_postgres password '{PASSWORD}'")
        kept = await connection.fetchval("select rolpassword from pg_authid where rolname = 'made_by_postgres'")
        await connection.execute("drop role made_by_postgres")
    iterations, salt = kept.split("$")[1].split(":")
    salt_bytes = await connection.fetchval("select decode($1, 'base64')", salt)
    assert verifier(PASSWORD, salt=salt_bytes, iterations=int(iterations)) == kept
    assert verifier(PASSWORD) != verifier(PASSWORD), "every one has its own salt"


async def test_the_password_may_come_from_a_file_and_be_renewed(tmp_path: Path, connection: asyncpg.Connection) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    result = await run("pilot", "--password-file", file, "--role", "grafana_of_the_pilot")
    assert result.stdout.splitlines() == ["grafana_of_the_pilot"]
    asked = "select rolpassword from pg_authid where rolname = 'grafana_of_the_pilot'"
    before = await connection.fetchval(asked)
    renewed = await run("pilot", "--renew")
    assert renewed.stdout.splitlines()[0] == "grafana_of_the_pilot"
    assert await connection.fetchval(asked) != before


async def test_weak_passwords_and_wrong_names_are_refused(tmp_path: Path, connection: asyncpg.Connection) -> None:
    tenant = await tenant_by_name(connection, "pilot")
    for password in ("", "short", "ä" * 20, "a" * 20 + "\n" + "b" * 20, "x" * 300):
        with pytest.raises(InvalidArgument, match="16 to 256 printable ASCII"):
            await create_reader(connection, tenant, password)
    for role in ("Upper", "pg_mine", 'a"b', "1st", "x" * 64):
        with pytest.raises(InvalidArgument, match="cannot name a role"):
            await create_reader(connection, tenant, PASSWORD, role=role)
    with pytest.raises(AlreadyExists, match="there is a role tidegauge"):
        await create_reader(connection, tenant, PASSWORD, role="tidegauge")
    assert isinstance((await run("pilot", "--password-file", tmp_path / "none")).exception, InvalidArgument)
    assert isinstance((await run("pilot", "--renew", "--drop")).exception, InvalidArgument)
    assert isinstance((await run("nobody")).exception, NotFound)
    assert isinstance((await run("pilot", "--drop")).exception, NotFound)


async def test_a_dropped_role_is_gone_and_its_sessions_end(database_url: str, connection: asyncpg.Connection) -> None:
    role, _ = (await run("pilot")).stdout.splitlines()
    session = await as_role(database_url, role)
    assert await session.fetchval("select name from tenant") == "pilot"
    ended = end_of(session)
    assert (await run("pilot", "--drop")).exit_code == 0
    await asyncio.wait_for(ended.wait(), PATIENCE_S)
    with pytest.raises(asyncpg.PostgresError):
        await as_role(database_url, role)
    assert not await connection.fetchval("select exists (select from pg_roles where rolname = $1)", role)
    assert await connection.fetchval("select count(*) from grafana_reader") == 0


async def test_sessions_and_their_statements_are_bounded(database_url: str, connection: asyncpg.Connection) -> None:
    role, _ = (await run("pilot")).stdout.splitlines()
    sessions = [await as_role(database_url, role) for _ in range(CONNECTIONS)]
    try:
        with pytest.raises(asyncpg.TooManyConnectionsError):
            await as_role(database_url, role)
        assert await sessions[0].fetchval("show statement_timeout") == "30s"
        assert await sessions[0].fetchval("show default_transaction_read_only") == "on"
        # Whoever types SQL may lift the time-outs; the upkeep ends such a session.
        await sessions[0].execute("set statement_timeout = 0; set transaction_timeout = 0")
        await sessions[0].execute("begin; select 1")
        assert await put_out_readers(connection) == 0, "nothing has gone on for long"
        ended = end_of(sessions[0])
        assert await put_out_readers(connection, longest_s=0) == 1
        await asyncio.wait_for(ended.wait(), PATIENCE_S)
        assert await sessions[1].fetchval("select 1") == 1, "the others go on"
    finally:
        for session in sessions:
            await session.close()


async def test_no_session_fills_the_disk_with_what_it_sorts(database_url: str, connection: asyncpg.Connection) -> None:
    for words in (("pilot",), ("pilot", "--renew")):
        role = (await run(*words)).stdout.splitlines()[0]
        session = await as_role(database_url, role)
        assert await session.fetchval("show temp_file_limit") == SPILLED
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await session.execute("set temp_file_limit = -1")
        await session.close()
        # A role that was made by a release before is bounded when its password is renewed.
        await connection.execute(f"alter role {role} reset temp_file_limit")


async def test_a_session_in_another_database_of_the_server_is_put_out_as_well(
    postgres: EmbeddedPostgres, connection: asyncpg.Connection
) -> None:
    role, _ = (await run("pilot")).stdout.splitlines()
    elsewhere = await as_role(postgres.url_of("postgres"), role)
    await elsewhere.execute("begin; select 1")
    ended = end_of(elsewhere)
    assert await put_out_readers(connection, longest_s=0) == 1
    await asyncio.wait_for(ended.wait(), PATIENCE_S)


async def test_an_owner_that_is_no_superuser_makes_roles_and_is_told_what_stays_open(postgres: EmbeddedPostgres) -> None:
    admin = await asyncpg.connect(postgres.url_of("postgres"))
    owner = f"owner_{secrets.token_hex(6)}"
    await admin.execute(f"create role {owner} login createrole")
    await admin.execute(f"create database {owner} owner {owner}")
    url = postgres.url_of(owner).replace("//tidegauge@", f"//{owner}@")
    try:
        await migrate(url)
        connection = await asyncpg.connect(url)
        tenant = await create_tenant(connection, "pilot", "UTC")
        reader = await create_reader(connection, tenant, new_password())
        assert any("pg_advisory_lock(bigint)" in door and "revoke it from public" in door for door in reader.open_doors)
        assert any("temp_file_limit" in door for door in reader.open_doors)
        assert not any("temporary" in door for door in reader.open_doors), "a database's owner closes that"
        session = await as_role(url, reader.role)
        assert await session.fetchval("select name from tenant") == "pilot"
        await session.execute("set default_transaction_read_only = off")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await session.execute("create temporary table mine (a int)")
        await connection.execute("create temporary table ours (a int)")
        await session.execute("begin; select 1")
        ended = end_of(session)
        assert await put_out_readers(connection, longest_s=0) == 1
        await asyncio.wait_for(ended.wait(), PATIENCE_S)
        assert await drop_reader(connection, tenant) == reader.role
        await connection.close()
    finally:
        await admin.execute(f"drop database {owner} with (force)")
        await admin.execute(f"drop role {owner}")
        await admin.close()


async def test_a_role_that_a_restored_dump_names_and_the_server_has_not_is_made_anew(connection: asyncpg.Connection) -> None:
    tenant = await tenant_by_name(connection, "pilot")
    await connection.execute("insert into grafana_reader (role, tenant) values ('grafana_of_another_server', $1)", tenant.id)
    with pytest.raises(NotFound, match="this server has no role"):
        await renew_password(connection, tenant, new_password())
    reader = await create_reader(connection, tenant, new_password())
    assert await role_of(connection, tenant) == reader.role
    await connection.execute("update grafana_reader set role = 'grafana_of_another_server'")
    await connection.execute(f"drop owned by {reader.role}; drop role {reader.role}")
    assert await drop_reader(connection, tenant) == "grafana_of_another_server"
    assert await connection.fetchval("select count(*) from grafana_reader") == 0


async def test_doors_are_closed_once_and_stay_closed(connection: asyncpg.Connection) -> None:
    assert await close_doors(connection) == []
    assert await connection.fetch(OPEN_FUNCTIONS) == []
    assert await connection.fetch(OPEN_RIGHTS) == []
    assert await close_doors(connection) == []
    # The service itself goes on as before.
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(1); create temporary table mine (a int) on commit drop")
