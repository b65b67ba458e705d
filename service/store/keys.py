"""API keys: 256 random bits each, of which only the SHA-256 is kept."""

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from service.errors import InvalidArgument, NotFound
from service.store.engine import Connection
from service.store.tenants import Tenant

SCOPES = ("ingest", "backfill", "read", "metrics", "admin")
PREFIX = "tg_"
SECRET_BYTES = 32
MAX_KEY_NAME = 100
MAX_KEYS = 1_000
_SHAPE = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")

# Puts a key down; its secret is not among what is kept.
CREATE_KEY = """
insert into api_key (id, tenant, name, hash, scopes) values ($1, $2, $3, $4, $5)
returning created_at
"""

# How many keys of a tenant are alive: their number has a limit.
COUNT_KEYS = "select count(*) from api_key where tenant = $1 and revoked_at is null"

_SELECT = """
select k.id, k.tenant, t.name as tenant_name, k.name, k.scopes, k.created_at, k.revoked_at
from api_key k join tenant t on t.id = k.tenant
"""

# A tenant's keys, the newest first, revoked ones too.
LIST_KEYS = _SELECT + "where k.tenant = $1 order by k.created_at desc, k.id"

# The live key with this hash: asked for when a door does not know a key, or has not asked for a while.
FIND_KEY = _SELECT + "where k.hash = $1 and k.revoked_at is null"

# Ends a key; doing it again keeps the first date.
REVOKE_KEY = """
update api_key k set revoked_at = coalesce(k.revoked_at, now()) from tenant t
where t.id = k.tenant and k.id = $1
returning k.id, k.tenant, t.name as tenant_name, k.name, k.scopes, k.created_at, k.revoked_at
"""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key: not its secret."""

    id: str
    tenant: int
    tenant_name: str
    name: str
    scopes: frozenset[str]
    created_at: datetime
    revoked_at: datetime | None


def hash_of(secret: str) -> bytes:
    """The 32 bytes by which a key is found."""
    return hashlib.sha256(secret.encode()).digest()


def looks_like_a_key(secret: str) -> bool:
    """Whether it has the shape of a key: what has not needs no question to the database."""
    return _SHAPE.fullmatch(secret) is not None


async def create_key(connection: Connection, tenant: Tenant, scopes: Iterable[str], name: str = "") -> tuple[ApiKey, str]:
    """Make a key for a tenant; returns it and its secret, which nobody can ask for again.

    Raises InvalidArgument for an unknown scope, none at all, too long a name or too many keys.
    """
    wanted = _check_scopes(scopes)
    if len(name) > MAX_KEY_NAME or "\0" in name:
        raise InvalidArgument(f"the name of a key has at most {MAX_KEY_NAME} characters: choose a shorter one")
    if await connection.fetchval(COUNT_KEYS, tenant.id) >= MAX_KEYS:
        raise InvalidArgument(f"tenant {tenant.name!r} has {MAX_KEYS} keys, the limit: revoke those that nobody uses")
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    key_id = secrets.token_hex(6)
    created_at = await connection.fetchval(CREATE_KEY, key_id, tenant.id, name, hash_of(secret), list(wanted))
    return ApiKey(key_id, tenant.id, tenant.name, name, frozenset(wanted), created_at, None), secret


async def list_keys(connection: Connection, tenant: Tenant) -> list[ApiKey]:
    """A tenant's keys, the newest first, revoked ones too."""
    return [_key(row) for row in await connection.fetch(LIST_KEYS, tenant.id)]


async def find_key(connection: Connection, key_hash: bytes) -> ApiKey | None:
    """The live key with this SHA-256; None if there is none or it was revoked."""
    row = await connection.fetchrow(FIND_KEY, key_hash)
    return None if row is None else _key(row)


async def revoke_key(connection: Connection, key_id: str) -> ApiKey:
    """End a key; doors that know it stop taking it within `key_refresh_s`. Raises NotFound."""
    row = await connection.fetchrow(REVOKE_KEY, key_id)
    if row is None:
        raise NotFound(f"there is no key {key_id!r}: `tidegauge keys list --tenant NAME` shows the ids")
    return _key(row)


def _check_scopes(scopes: Iterable[str]) -> list[str]:
    wanted = set(scopes)
    unknown = sorted(wanted - set(SCOPES))
    if unknown:
        raise InvalidArgument(f"scope {unknown[0]!r} is not known: choose among {', '.join(SCOPES)}")
    if not wanted:
        raise InvalidArgument(f"a key needs at least one scope: choose among {', '.join(SCOPES)}")
    return [scope for scope in SCOPES if scope in wanted]


def _key(row: asyncpg.Record) -> ApiKey:
    return ApiKey(**{**row, "scopes": frozenset(row["scopes"])})
