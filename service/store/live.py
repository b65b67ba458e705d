"""The newest values of KPIs: what the evaluator writes and /metrics/kpis reads."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from service.clock import to_datetime
from service.errors import LeaseLost
from service.store.engine import Connection
from service.store.leases import Lease

# Holds the evaluator's lease until the transaction ends, so that nobody writes who has lost it.
_FENCE = """
select true from lease
where resource = $1 and owner = $2 and epoch = $3 and expires_at > clock_timestamp()
for share
"""

# Values that changed; `at` moves with every evaluation that found another value.
_PUT = """
insert into kpi_latest as k
  (tenant, kpi, statistic, "window", dims, value, numerator, denominator, target, "limit", status, start_at, end_at, at)
select v.tenant, $1, v.statistic, v.window_name, v.dims::jsonb, v.value, v.numerator, v.denominator, v.target, v.limit_value,
       v.status, v.start_at, v.end_at, $2
from unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::double precision[], $8::numeric[], $9::numeric[],
            $10::double precision[], $11::double precision[], $12::text[], $13::timestamptz[], $14::timestamptz[])
  as v(tenant, statistic, window_name, dims, value, numerator, denominator, target, limit_value, status, start_at, end_at)
on conflict (tenant, kpi, statistic, "window", dims) do update
set value = excluded.value, numerator = excluded.numerator, denominator = excluded.denominator, target = excluded.target,
    "limit" = excluded."limit", status = excluded.status, start_at = excluded.start_at, end_at = excluded.end_at, at = excluded.at
where (k.value, k.numerator, k.denominator, k.target, k."limit", k.status, k.end_at)
  is distinct from (excluded.value, excluded.numerator, excluded.denominator, excluded.target, excluded."limit", excluded.status,
                    excluded.end_at)
"""

# Values of the same KPI, tenants and windows that this evaluation did not give: they are no more.
_DROP = """
delete from kpi_latest k
where k.kpi = $1 and k.tenant = any($2::int[]) and k."window" = any($3::text[])
  and not exists (
    select from unnest($4::int[], $5::text[], $6::text[], $7::text[]) as v(tenant, statistic, window_name, dims)
    where v.tenant = k.tenant and v.statistic = k.statistic and v.window_name = k."window" and v.dims::jsonb = k.dims
  )
"""

# Values of KPIs that a tenant has no more: not in the catalog, and no formula of its own.
_FORGET = """
delete from kpi_latest k
where k.tenant = any($1::int[]) and k."window" = any($2::text[]) and k.kpi <> all($3::text[])
  and not exists (
    select from unnest($4::int[], $5::text[]) as own(tenant, kpi) where own.tenant = k.tenant and own.kpi = k.kpi
  )
"""

# At most so many series a tenant, in the order of their keys, those of single accounts last; `total` says how many there are.
_READ = """
select t.name as tenant, k.kpi, k.statistic, k."window", k.dims, k.value, k.target, k."limit", k.status, k.place, k.total
from (
  select *, row_number() over tenants as place, count(*) over (partition by tenant) as total
  from kpi_latest where value is not null and ($1::int is null or tenant = $1)
  window tenants as (partition by tenant order by dims ? 'account', kpi, statistic, "window", dims)
) k
join tenant t on t.id = k.tenant
where k.place <= $2
order by k.kpi, k.statistic, t.name, k.place
"""


class LiveValue(msgspec.Struct, frozen=True, gc=False):
    """One value of one window; `dims` as sorted pairs. A struct: a round has tens of thousands."""

    tenant: int
    statistic: str
    window: str
    dims: tuple[tuple[str, str], ...]
    value: float | None
    numerator: Decimal | None
    denominator: Decimal | None
    target: float | None
    limit: float | None
    status: str
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Shown:
    """One series of /metrics/kpis."""

    tenant: str
    kpi: str
    statistic: str
    window: str
    dims: dict[str, str]
    value: float
    target: float | None
    limit: float | None
    status: str
    total: int
    """Series that the tenant has, shown or not."""


async def fence(connection: Connection, owner: UUID, lease: Lease) -> None:
    """Go on only as the holder of the lease, until the transaction ends; raises LeaseLost."""
    if not await connection.fetchval(_FENCE, lease.resource, owner, lease.epoch):
        raise LeaseLost(f"{lease.resource}: another process holds it, or epoch {lease.epoch} has expired")


async def replace(
    connection: Connection,
    kpi: str,
    tenants: Sequence[int],
    windows: Sequence[str],
    values: Sequence[LiveValue],
    at: datetime,
) -> None:
    """Make `values` the newest of a KPI for these tenants and windows; what they do not name is dropped."""
    dims = [json.dumps(dict(value.dims), sort_keys=True) for value in values]
    keys = ([v.tenant for v in values], [v.statistic for v in values], [v.window for v in values], dims)
    await connection.execute(_DROP, kpi, tenants, windows, *keys)
    if not values:
        return
    await connection.execute(
        _PUT,
        kpi,
        at,
        *keys,
        [v.value for v in values],
        [v.numerator for v in values],
        [v.denominator for v in values],
        [v.target for v in values],
        [v.limit for v in values],
        [v.status for v in values],
        [to_datetime(v.start_us) for v in values],
        [to_datetime(v.end_us) for v in values],
    )


async def forget_others(
    connection: Connection, own: Mapping[int, Collection[str]], windows: Sequence[str], catalog: Sequence[str]
) -> None:
    """Drop what tenants have of KPIs that are neither in the catalog nor their `own`, of these windows."""
    pairs = [(tenant, kpi) for tenant, kpis in own.items() for kpi in kpis]
    await connection.execute(_FORGET, list(own), windows, catalog, [pair[0] for pair in pairs], [pair[1] for pair in pairs])


async def read(connection: Connection, *, tenant: int | None, max_series: int) -> list[Shown]:
    """The newest values that there are, of one tenant or all, at most `max_series` each, ordered by KPI."""
    rows = await connection.fetch(_READ, tenant, max_series)
    return [
        Shown(
            tenant=row["tenant"],
            kpi=row["kpi"],
            statistic=row["statistic"],
            window=row["window"],
            dims=json.loads(row["dims"]),
            value=row["value"],
            target=row["target"],
            limit=row["limit"],
            status=row["status"],
            total=row["total"],
        )
        for row in rows
    ]
