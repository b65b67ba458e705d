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

# What an evaluation found beside what it found before: values that differ are written, and those of the same KPI, tenants and
# windows that it did not find are no more. `at` moves with every evaluation that found another value. Nearly all are as they
# were, so both are read once and compared: a full join is never a look-up a value, which would lock each row that stays, too.
_MERGE = """
with changed as materialized (
  select v.*, k.tenant as old_tenant, k.statistic as old_statistic, k."window" as old_window, k.dims as old_dims
  from (
    select tenant, statistic, window_name, dims::jsonb as dims, value, numerator, denominator, target, limit_value, status,
      start_at, end_at
    from unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::double precision[], $8::numeric[], $9::numeric[],
                $10::double precision[], $11::double precision[], $12::text[], $13::timestamptz[], $14::timestamptz[])
      as v(tenant, statistic, window_name, dims, value, numerator, denominator, target, limit_value, status, start_at, end_at)
  ) v
  full join (
    select * from kpi_latest where kpi = $1 and tenant = any($15::int[]) and "window" = any($16::text[])
  ) k on k.tenant = v.tenant and k.statistic = v.statistic and k."window" = v.window_name and k.dims = v.dims
  where v.tenant is null or k.tenant is null
    or (k.value, k.numerator, k.denominator, k.target, k."limit", k.status, k.end_at)
      is distinct from (v.value, v.numerator, v.denominator, v.target, v.limit_value, v.status, v.end_at)
), dropped as (
  delete from kpi_latest k using changed c
  where c.tenant is null and k.kpi = $1 and k.tenant = c.old_tenant and k.statistic = c.old_statistic
    and k."window" = c.old_window and k.dims = c.old_dims
)
insert into kpi_latest
  (tenant, kpi, statistic, "window", dims, value, numerator, denominator, target, "limit", status, start_at, end_at, at)
select tenant, $1, statistic, window_name, dims, value, numerator, denominator, target, limit_value, status, start_at, end_at, $2
from changed where tenant is not null
on conflict (tenant, kpi, statistic, "window", dims) do update
set value = excluded.value, numerator = excluded.numerator, denominator = excluded.denominator, target = excluded.target,
    "limit" = excluded."limit", status = excluded.status, start_at = excluded.start_at, end_at = excluded.end_at, at = excluded.at
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
    dims = {each: json.dumps(dict(each), sort_keys=True) for each in {value.dims for value in values}}
    instants = {each: to_datetime(each) for each in {bound for v in values for bound in (v.start_us, v.end_us)}}
    await connection.execute(
        _MERGE,
        kpi,
        at,
        [v.tenant for v in values],
        [v.statistic for v in values],
        [v.window for v in values],
        [dims[v.dims] for v in values],
        [v.value for v in values],
        [v.numerator for v in values],
        [v.denominator for v in values],
        [v.target for v in values],
        [v.limit for v in values],
        [v.status for v in values],
        [instants[v.start_us] for v in values],
        [instants[v.end_us] for v in values],
        tenants,
        windows,
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
