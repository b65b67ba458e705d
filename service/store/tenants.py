"""Tenants: making them, finding them."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from zoneinfo import available_timezones

import asyncpg

from service.domain.config.versions import configs_of
from service.errors import AlreadyExists, InvalidArgument, NotFound
from service.store import slo_counters
from service.store.engine import Connection

MAX_NAME = 63
_NAME = re.compile(rf"[a-z0-9-]{{1,{MAX_NAME}}}")
_NO_PLACES = frozenset({"Factory", "localtime", "posixrules"})

# Puts a tenant down; nothing comes back where the name is taken.
CREATE_TENANT = """
insert into tenant (name, timezone) values ($1, $2)
on conflict (name) do nothing
returning id, name, timezone, config_version
"""

# One tenant by its name.
TENANT_BY_NAME = "select id, name, timezone, config_version from tenant where name = $1"

# All tenants, by name: an installation has thousands of them at the most.
LIST_TENANTS = "select id, name, timezone, config_version from tenant order by name"

# Tenants by their names, with the version of what each declares: asked at every scrape of those with formulas.
TENANTS_NAMED = "select id, name, timezone, config_version from tenant where name = any($1::text[])"


@dataclass(frozen=True, slots=True)
class Tenant:
    """One isolated space."""

    id: int
    name: str
    timezone: str
    """An IANA name: days, weeks and months are cut in it."""
    config_version: int
    """The newest version of what it declared; 0: the defaults."""


async def create_tenant(connection: Connection, name: str, timezone: str) -> Tenant:
    """Make a tenant of `name` (up to 63 lower-case letters, digits and `-`) in an IANA time zone, with the counters of its SLOs.

    Raises InvalidArgument for a name or zone that cannot be, AlreadyExists for a name that is taken.
    """
    if not _NAME.fullmatch(name):
        raise InvalidArgument(
            f"tenant {name!r}: a name has up to {MAX_NAME} lower-case letters, digits and hyphens: choose such a one"
        )
    await _check_timezone(connection, timezone)
    async with connection.transaction():
        row = await connection.fetchrow(CREATE_TENANT, name, timezone)
        if row is None:
            raise AlreadyExists(f"tenant {name!r} is there already: choose another name, or use it as it is")
        # The defaults are the only version, so any instant is theirs.
        await slo_counters.declare(connection, {row["id"]: configs_of(timezone, row["config_version"], ())}, now_us=0)
    return Tenant(**row)


async def tenants_named(connection: Connection, names: Collection[str]) -> list[Tenant]:
    """The tenants of these names; names that are none are left out."""
    return [Tenant(**row) for row in await connection.fetch(TENANTS_NAMED, list(names))]


async def tenant_by_name(connection: Connection, name: str) -> Tenant:
    """The tenant of that name; raises NotFound."""
    row = await connection.fetchrow(TENANT_BY_NAME, name)
    if row is None:
        raise NotFound(f"there is no tenant {name!r}: `tidegauge tenants list` shows all, `tenants create` makes one")
    return Tenant(**row)


async def list_tenants(connection: Connection) -> list[Tenant]:
    """All tenants, by name."""
    return [Tenant(**row) for row in await connection.fetch(LIST_TENANTS)]


async def _check_timezone(connection: Connection, timezone: str) -> None:
    known = timezone in available_timezones() - _NO_PLACES
    if known:
        try:
            # Postgres has time zones of its own: what only one of the two knows would fail in a query, later.
            await connection.fetchval("select now() at time zone $1", timezone)
        except asyncpg.InvalidParameterValueError:
            known = False
    if not known:
        raise InvalidArgument(f"time zone {timezone!r} is not known: give an IANA name such as Europe/Berlin or UTC")
