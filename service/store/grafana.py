"""Roles that read one tenant's rows through the schema `grafana`: made, given a new password, dropped, and put out."""

import re
import secrets
from dataclasses import dataclass

import asyncpg

from service.errors import AlreadyExists, InvalidArgument, NotFound, StoreUnavailable
from service.store.engine import Connection
from service.store.grafana_doors import close_doors
from service.store.scram import verifier
from service.store.tenants import Tenant

CONNECTIONS = 10
"""Of one role at a time."""
STATEMENT_TIMEOUT_S = 30
SPILLED = "1GB"
"""What a session may write to disk at a time for what it sorts and hashes; unlike the time-outs no session lifts it."""
LONGEST_TRANSACTION_S = 120
"""A session may lift its own time-outs; one that goes on for longer than this is ended by the evaluator's upkeep."""
PASSWORD_BYTES = 24
MIN_PASSWORD, MAX_PASSWORD = 16, 256
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
# A role may lift these for itself: they are for honest panels, the upkeep for the others.
_SETTINGS = {
    "search_path": "grafana",
    "default_transaction_read_only": "on",
    "statement_timeout": f"{STATEMENT_TIMEOUT_S}s",
    "transaction_timeout": f"{LONGEST_TRANSACTION_S}s",
    "idle_in_transaction_session_timeout": "30s",
    "lock_timeout": "5s",
    "jit": "off",
    "random_page_cost": "1.1",
}

# The role that reads a tenant, where there is one.
READER_OF = "select role from grafana_reader where tenant = $1"

# Whether we may do anything at all.
IS_SUPERUSER = "select rolsuper from pg_roles where rolname = current_user"

# Whether Postgres has a role of this name, whoever made it.
ROLE_EXISTS = "select exists (select from pg_roles where rolname = $1)"

# Binds a role to a tenant: from here on every policy lets it see that tenant's rows.
BIND = "insert into grafana_reader (role, tenant) values ($1, $2)"

# Lets go of a role.
UNBIND = "delete from grafana_reader where tenant = $1"

# Whether we may bound what sessions of a role write to disk.
MAY_BOUND_SPILLING = "select has_parameter_privilege('temp_file_limit', 'set')"

# Gives every bound role what the views stand on.
GRANT = "select grafana.grant_readers()"

# A statement with names and texts quoted as Postgres quotes them: `create role` takes no parameters.
FORMAT = "select format($1, variadic $2::text[])"

# Ends every session of a role.
END_SESSIONS = "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1"

# Ends sessions of readers whose transaction has gone on for too long, in whichever database of the server, those that we may end.
PUT_OUT = """
select count(*) filter (where pg_terminate_backend(a.pid))
from pg_stat_activity a
where a.usename in (select role::name from grafana_reader)
  and a.xact_start < clock_timestamp() - make_interval(secs => $1) and pg_has_role(a.usesysid, 'usage')
"""


@dataclass(frozen=True, slots=True)
class Reader:
    """A role that was made or given a new password."""

    role: str
    open_doors: tuple[str, ...] = ()
    """What could not be closed to it, a sentence each, for want of rights."""


async def create_reader(connection: Connection, tenant: Tenant, password: str, *, role: str = "") -> Reader:
    """Make the role that reads a tenant; without a `role` its name is random, for every role sees the names of all.

    Raises InvalidArgument, AlreadyExists, and StoreUnavailable where the rights to make roles are missing.
    """
    name = role or f"grafana_{secrets.token_hex(6)}"
    if not _NAME.fullmatch(name) or name.startswith("pg_"):
        raise InvalidArgument(
            f"{name!r} cannot name a role: take at most 63 of a-z, 0-9 and _, not beginning with a digit or pg_"
        )
    secret = verifier(checked_password(password))
    try:
        async with connection.transaction():
            found = await connection.fetchval(READER_OF, tenant.id)
            if found is not None and not await connection.fetchval(ROLE_EXISTS, found):
                # Restored from a dump, which has no roles, or dropped by hand.
                await connection.execute(UNBIND, tenant.id)
            elif found is not None:
                raise AlreadyExists(f"the role {found} reads {tenant.name}: give it a new password with --renew, or --drop it")
            if await connection.fetchval(ROLE_EXISTS, name):
                raise AlreadyExists(f"there is a role {name} already: choose another name, or leave it out for a random one")
            await _run(connection, _CREATE, name, secret)
            await _run(connection, "grant connect on database %I to %I", await _database(connection), name)
            for setting, value in _SETTINGS.items():
                await _run(connection, f"alter role %I set {setting} = %L", name, value)
            if not await connection.fetchval(IS_SUPERUSER):
                # Who made a role may not end its sessions unless it is a member; the role itself is a member of nothing.
                await _run(connection, "grant %I to current_user with inherit true, set false", name)
            await connection.execute(BIND, name, tenant.id)
            await connection.execute(GRANT)
            return Reader(name, (*await _bound_spilling(connection, name), *await close_doors(connection)))
    except asyncpg.InsufficientPrivilegeError as error:
        raise StoreUnavailable(
            f"no role can be made ({error}): use a TIDEGAUGE_DATABASE_URL whose user has CREATEROLE"
        ) from error


_CREATE = (
    "create role %I login noinherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls"
    f" connection limit {CONNECTIONS} password %L"
)


async def renew_password(connection: Connection, tenant: Tenant, password: str) -> Reader:
    """Give the tenant's role another password; sessions that are open go on. Raises NotFound, InvalidArgument."""
    secret = verifier(checked_password(password))
    async with connection.transaction():
        role = await role_of(connection, tenant)
        if not await connection.fetchval(ROLE_EXISTS, role):
            raise NotFound(f"this server has no role {role}: make one with `tidegauge grafana-role {tenant.name}`")
        await _run(connection, "alter role %I password %L", role, secret)
        await connection.execute(GRANT)
        return Reader(role, (*await _bound_spilling(connection, role), *await close_doors(connection)))


async def drop_reader(connection: Connection, tenant: Tenant) -> str:
    """Drop the tenant's role and end its sessions; its name. Raises NotFound."""
    async with connection.transaction():
        role = await role_of(connection, tenant)
        # From the commit on a session of it sees nothing; then nobody holds what is to be dropped.
        await connection.execute(UNBIND, tenant.id)
        is_there = await connection.fetchval(ROLE_EXISTS, role)
        if is_there:
            await _run(connection, "alter role %I nologin", role)
    if is_there:
        await connection.execute(END_SESSIONS, role)
        await _run(connection, "drop owned by %I", role)
        await _run(connection, "drop role %I", role)
    return role


async def role_of(connection: Connection, tenant: Tenant) -> str:
    """The role that reads a tenant. Raises NotFound."""
    role: str | None = await connection.fetchval(READER_OF, tenant.id)
    if role is None:
        raise NotFound(f"no role reads {tenant.name}: make one with `tidegauge grafana-role {tenant.name}`")
    return role


async def put_out_readers(connection: Connection, *, longest_s: float = LONGEST_TRANSACTION_S) -> int:
    """End sessions of readers that have been in one transaction for longer than this; how many."""
    ended: int = await connection.fetchval(PUT_OUT, longest_s)
    return ended


def new_password() -> str:
    """A password of 192 random bits."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def checked_password(password: str) -> str:
    """The password, if it is long enough and of characters that every client sends alike; raises InvalidArgument."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD or not password.isascii() or not password.isprintable():
        raise InvalidArgument(
            f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} printable ASCII characters; without --password-file one is made"
        )
    return password


async def _bound_spilling(connection: Connection, role: str) -> list[str]:
    """Bound what the role writes to disk; where we have not the right, the sentence that says who may."""
    if await connection.fetchval(MAY_BOUND_SPILLING):
        await _run(connection, f"alter role %I set temp_file_limit = '{SPILLED}'", role)
        return []
    return [f"{role} may fill the disk with what it sorts: as a superuser, alter role {role} set temp_file_limit = '{SPILLED}'"]


async def _run(connection: Connection, form: str, *names: str) -> None:
    await connection.execute(await connection.fetchval(FORMAT, form, list(names)))


async def _database(connection: Connection) -> str:
    name: str = await connection.fetchval("select current_database()")
    return name
