"""Counters of SLOs: what flushes and the evaluator feed, and /metrics/kpis shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from service.domain.config.versions import TenantConfigs
from service.store.engine import Connection

# What a flush brings: live events, in the order of the key, in which the evaluator takes the rows too.
SLO: Final = """
insert into slo_counter as c (tenant, slo, good, total)
select tenant, slo, good, total from flush_slo order by tenant, slo
on conflict (tenant, slo) do update set good = c.good + excluded.good, total = c.total + excluded.total
"""

# Tenants that have declared nothing since these versions, held: whatever they declare next waits, and is not overwritten.
_UNCHANGED = """
select t.id
from unnest($1::int[], $2::int[]) as known(tenant, version)
join tenant t on t.id = known.tenant and t.config_version = known.version
order by t.id
for share of t
"""

# The rows of tenants that declare, held in the order in which flushes take them: what changes them next takes them in its own.
_HOLD = "select from slo_counter where tenant = any($1::int[]) order by tenant, slo for update"

# The SLOs of these tenants as they are declared; those that are not any more keep their counts, should they come back: then time
# is counted from there on, and not what has passed meanwhile.
_DECLARE = """
with declared as (
    select * from unnest($2::int[], $3::text[], $4::double precision[]) as d(tenant, slo, objective)
), gone as (
    update slo_counter c set objective = null
    where c.tenant = any($1::int[]) and c.objective is not null
        and not exists (select from declared d where d.tenant = c.tenant and d.slo = c.slo)
)
insert into slo_counter as c (tenant, slo, objective)
select tenant, slo, objective from declared order by tenant, slo
on conflict (tenant, slo) do update set objective = excluded.objective,
    fed_until_us = case when c.objective is not null then c.fed_until_us end
where c.objective is distinct from excluded.objective
"""

# The rows of these SLOs, held in the same order.
_HOLD_FED = """
select from slo_counter c
join unnest($1::int[], $2::text[]) as fed(tenant, slo) on c.tenant = fed.tenant and c.slo = fed.slo
order by c.tenant, c.slo
for update of c
"""

# How far the SLOs about time of these tenants have been counted.
_FED = """
select c.tenant, c.slo, c.fed_until_us
from unnest($1::int[], $2::text[]) as wanted(tenant, slo)
join slo_counter c on c.tenant = wanted.tenant and c.slo = wanted.slo
"""

# Seconds or minutes of a stretch that begins where the counter stands: a second time they change nothing.
_FEED = """
update slo_counter c
set good = c.good + f.good, total = c.total + f.total, fed_until_us = f.until_us
from (
    select * from unnest($1::int[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
        as fed(tenant, slo, good, total, stood_us, until_us)
) f
where c.tenant = f.tenant and c.slo = f.slo and c.fed_until_us is not distinct from f.stood_us
"""

# What /metrics/kpis shows: counters of SLOs that are declared, at most so many a tenant.
_READ = """
select t.name as tenant, c.slo, c.good, c.total, c.objective, extract(epoch from c.created_at)::double precision as created_s
from (
    select *, row_number() over (partition by tenant order by slo collate "C") as place
    from slo_counter where objective is not null and ($1::int is null or tenant = $1)
) c
join tenant t on t.id = c.tenant
where c.place <= $2
order by t.name, c.slo collate "C"
"""


@dataclass(frozen=True, slots=True)
class Fed:
    """What a stretch of time adds to the counter of an SLO that is about time."""

    tenant: int
    slo: str
    good: int
    total: int
    stood_us: int | None
    """How far it had been counted; None: not at all."""
    until_us: int


@dataclass(frozen=True, slots=True)
class Counter:
    """The counter of an SLO, and its objective as it is declared."""

    tenant: str
    slo: str
    good: int
    total: int
    objective: float
    created_s: float | None
    """Since when it has counted, from 0, as Unix time; None: since before that was kept."""


async def declare(connection: Connection, configs: Mapping[int, TenantConfigs], *, now_us: int) -> None:
    """Give each SLO of these tenants that counts now or is planned its counter, from 0 on where it is new; in a transaction.

    A tenant that has declared something since its configurations were read is left to whoever has read that.
    """
    versions = [each.version for each in configs.values()]
    unchanged = [row["id"] for row in await connection.fetch(_UNCHANGED, list(configs), versions)]
    await connection.execute(_HOLD, unchanged)
    declared = sorted((tenant, slo.name, slo.objective) for tenant in unchanged for slo in configs[tenant].slos_from(now_us))
    await connection.execute(
        _DECLARE, unchanged, [each[0] for each in declared], [each[1] for each in declared], [each[2] for each in declared]
    )


async def fed_until(connection: Connection, slos: Sequence[tuple[int, str]]) -> dict[tuple[int, str], int | None]:
    """How far each of these (tenant, name) has been counted; those that have no counter yet are left out."""
    rows = await connection.fetch(_FED, [each[0] for each in slos], [each[1] for each in slos])
    return {(row["tenant"], row["slo"]): row["fed_until_us"] for row in rows}


async def feed(connection: Connection, stretches: Sequence[Fed]) -> None:
    """Count stretches of time; those whose counter stands elsewhere by now are left out. In a transaction."""
    tenants, slos = [each.tenant for each in stretches], [each.slo for each in stretches]
    await connection.execute(_HOLD_FED, tenants, slos)
    await connection.execute(
        _FEED,
        tenants,
        slos,
        [each.good for each in stretches],
        [each.total for each in stretches],
        [each.stood_us for each in stretches],
        [each.until_us for each in stretches],
    )


async def counters(connection: Connection, *, tenant: int | None, most: int) -> list[Counter]:
    """The counters of one tenant or all, at most so many a tenant."""
    return [Counter(**dict(row)) for row in await connection.fetch(_READ, tenant, most)]
