"""Names under a tenant's limits, and the ids of names and series: given out once, never reused."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from service.store.engine import Connection

NAMES_LOCK = 7_419_004
OTHER = "~other"
"""What a name over the limit is counted under."""


class Name(NamedTuple):
    """A name of one kind of a tenant."""

    tenant: int
    kind: str
    name: str


class Series(NamedTuple):
    """What can be added up: `dims` is the canonical JSON text."""

    tenant: int
    kind: str
    account: str
    dims: str


# Ids of those names that are admitted.
SELECT_NAMES = """
select w.tenant, w.kind, w.name, n.id
from unnest($1::int[], $2::text[], $3::text[]) as w (tenant, kind, name)
join name n using (tenant, kind, name)
"""

# How many names of these kinds are admitted; `~other` is beside the limit.
COUNT_NAMES = """
select w.tenant, w.kind, count(n.name) as names
from (select distinct tenant, kind from unnest($1::int[], $2::text[]) as u (tenant, kind)) w
left join name n on n.tenant = w.tenant and n.kind = w.kind and n.name <> '~other'
group by w.tenant, w.kind
"""

# Admission happens one process at a time, so that a limit is a limit.
LOCK_NAMES = "select pg_advisory_xact_lock($1)"

# Admits names in their order as far as the limit of their kind goes; `~other` always.
ADMIT_NAMES = """
with wanted as (
    select w.tenant, w.kind, w.name, w.most, row_number() over (partition by w.tenant, w.kind order by w.name) as place
    from unnest($1::int[], $2::text[], $3::text[], $4::int[]) as w (tenant, kind, name, most)
    where w.name <> '~other' and not exists (
        select from name n where n.tenant = w.tenant and n.kind = w.kind and n.name = w.name
    )
), taken as (
    select k.tenant, k.kind, count(n.name) as names
    from (select distinct tenant, kind from wanted) k
    left join name n on n.tenant = k.tenant and n.kind = k.kind and n.name <> '~other'
    group by k.tenant, k.kind
)
insert into name (tenant, kind, name)
select w.tenant, w.kind, w.name from wanted w join taken t using (tenant, kind) where t.names + w.place <= w.most
union all
select distinct tenant, kind, '~other'
from unnest($1::int[], $2::text[], $3::text[]) as o (tenant, kind, name)
where o.name = '~other'
on conflict do nothing
"""

# Ids of those series that there are.
SELECT_SERIES = """
select w.place, s.id
from unnest($1::int[], $2::text[], $3::text[], $4::text[]) with ordinality as w (tenant, kind, account, dims, place)
join series s on s.tenant = w.tenant and s.kind = w.kind and s.account = w.account
    and sha256(jsonb_send(s.dims)) = sha256(jsonb_send(w.dims::jsonb))
"""

# Adds series, in their order, so that processes that add the same ones wait for one another and never in a circle.
ADD_SERIES = """
insert into series (tenant, kind, account, dims)
select tenant, kind, account, dims::jsonb
from unnest($1::int[], $2::text[], $3::text[], $4::text[]) as w (tenant, kind, account, dims)
order by tenant, kind, account, dims
on conflict do nothing
"""


async def name_ids(connection: Connection, names: Collection[Name]) -> dict[Name, int]:
    """Look up the ids of those names that are admitted."""
    tenants, kinds, texts = _columns(sorted(names))
    rows = await connection.fetch(SELECT_NAMES, tenants, kinds, texts)
    return {Name(row["tenant"], row["kind"], row["name"]): row["id"] for row in rows}


async def admit(connection: Connection, limits: Mapping[Name, int]) -> dict[Name, int]:
    """Admit names, each under the limit of its kind; returns the ids of those that are admitted.

    Which of several new names come first under a limit is their order. A transaction of its own.
    """
    found = await name_ids(connection, limits)
    wanted = sorted(limits.keys() - found.keys())
    if not wanted:
        return found
    counts = await connection.fetch(COUNT_NAMES, [name.tenant for name in wanted], [name.kind for name in wanted])
    admitted = {(row["tenant"], row["kind"]): row["names"] for row in counts}
    open_ = [name for name in wanted if name.name == OTHER or admitted[name.tenant, name.kind] < limits[name]]
    if not open_:
        return found
    async with connection.transaction():
        await connection.execute(LOCK_NAMES, NAMES_LOCK)
        await connection.execute(ADMIT_NAMES, *_columns(open_), [limits[name] for name in open_])
    return found | await name_ids(connection, open_)


async def series_ids(connection: Connection, wanted: Collection[Series]) -> dict[Series, int]:
    """Give ids to series, new ones where there are none; a short transaction of its own."""
    keys = sorted(wanted)
    ids = await _select_series(connection, keys)
    missing = [key for key in keys if key not in ids]
    if missing:
        await connection.execute(ADD_SERIES, *_series_columns(missing))
        ids |= await _select_series(connection, missing)
    return ids


async def _select_series(connection: Connection, keys: list[Series]) -> dict[Series, int]:
    rows = await connection.fetch(SELECT_SERIES, *_series_columns(keys))
    return {keys[row["place"] - 1]: row["id"] for row in rows}


def _series_columns(keys: list[Series]) -> tuple[list[int], list[str], list[str], list[str]]:
    return ([k.tenant for k in keys], [k.kind for k in keys], [k.account for k in keys], [k.dims for k in keys])


def _columns(names: list[Name]) -> tuple[list[int], list[str], list[str]]:
    return [name.tenant for name in names], [name.kind for name in names], [name.name for name in names]
