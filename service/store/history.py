"""Values of closed windows, and how far each tenant's history has come."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from service.clock import to_datetime
from service.store.engine import Connection
from service.store.live import LiveValue

# Hands the oldest events that flushes noted over to the history, so that nothing is forgotten when the evaluator dies.
# Tenants are locked in the order in which a flush locks them: neither waits for the other in a circle.
_TAKE_TOUCHED = """
with touched as (
    select tenant, oldest_us as from_us from tenant_dirty where oldest_us <> 0 order by tenant for update
), taken as (
    update tenant_dirty d set oldest_us = 0 from touched t where d.tenant = t.tenant returning t.tenant, t.from_us
)
insert into history_progress as h (tenant, touched_from_us)
select tenant, from_us from taken
on conflict (tenant) do update set touched_from_us = least(h.touched_from_us, excluded.touched_from_us)
"""

# Tenants whose closed windows may want a row: all that have ever had events.
_PROGRESS = """
select h.tenant, h.closed_until_us, h.touched_from_us, f.first_day
from history_progress h
join lateral (select min(day) - date '1970-01-01' as first_day from tenant_hours t where t.tenant = h.tenant) f on true
where f.first_day is not null
order by h.tenant
"""

# The history stands up to here; what is left and what came meanwhile is still to be done.
_DONE = """
update history_progress
set closed_until_us = greatest(closed_until_us, $2),
    touched_from_us = least($4, case when touched_from_us is distinct from $3 then touched_from_us end)
where tenant = $1
"""

# Rows of closed windows; one that is there is written again when it says something else.
_PUT = """
insert into kpi_history as h
  (tenant, kpi, statistic, "window", end_at, dims, start_at, value, numerator, denominator, target, "limit", status, at)
select v.tenant, $1, v.statistic, v.window_name, v.end_at, v.dims::jsonb, v.start_at, v.value, v.numerator, v.denominator,
       v.target, v.limit_value, v.status, clock_timestamp()
from unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::double precision[], $7::numeric[], $8::numeric[],
            $9::double precision[], $10::double precision[], $11::text[], $12::timestamptz[], $13::timestamptz[])
  as v(tenant, statistic, window_name, dims, value, numerator, denominator, target, limit_value, status, start_at, end_at)
on conflict (tenant, kpi, statistic, "window", end_at, dims) do update
set start_at = excluded.start_at, value = excluded.value, numerator = excluded.numerator, denominator = excluded.denominator,
    target = excluded.target, "limit" = excluded."limit", status = excluded.status, at = excluded.at
where (h.value, h.numerator, h.denominator, h.target, h."limit", h.status)
  is distinct from (excluded.value, excluded.numerator, excluded.denominator, excluded.target, excluded."limit", excluded.status)
"""

# The mean of a KPI's daily values, by account, of the days that ended in a span.
_MEANS = """
select dims ->> 'account' as account, avg(value) as mean
from kpi_history
where tenant = $1 and kpi = $2 and statistic = '' and "window" = 'day' and end_at > $3 and end_at <= $4 and dims ? 'account'
  and value is not null
group by 1
"""


@dataclass(frozen=True, slots=True)
class HistoryProgress:
    """How far a tenant's history has come."""

    tenant: int
    closed_until_us: int
    touched_from_us: int | None
    first_day: int
    """The UTC day, since 1970, of the tenant's oldest event."""


async def take_touched(connection: Connection) -> None:
    """Note from where on events have come since the last call."""
    await connection.execute(_TAKE_TOUCHED)


async def progress(connection: Connection) -> list[HistoryProgress]:
    """Where every tenant's history stands."""
    return [HistoryProgress(**dict(row)) for row in await connection.fetch(_PROGRESS)]


async def done(connection: Connection, was: HistoryProgress, *, until_us: int, left_from_us: int | None) -> None:
    """Say that the history of `was` has been brought up to an instant, and from where on windows are left (None: none are)."""
    await connection.execute(_DONE, was.tenant, until_us, was.touched_from_us, left_from_us)


async def put(connection: Connection, kpi: str, values: Sequence[LiveValue]) -> None:
    """Write the rows of closed windows."""
    await connection.execute(
        _PUT,
        kpi,
        [v.tenant for v in values],
        [v.statistic for v in values],
        [v.window for v in values],
        [json.dumps(dict(v.dims), sort_keys=True) for v in values],
        [v.value for v in values],
        [v.numerator for v in values],
        [v.denominator for v in values],
        [v.target for v in values],
        [v.limit for v in values],
        [v.status for v in values],
        [to_datetime(v.start_us) for v in values],
        [to_datetime(v.end_us) for v in values],
    )


async def means(connection: Connection, tenant: int, kpi: str, *, from_us: int, until_us: int) -> dict[str, float]:
    """The mean of a KPI's closed days, by account; accounts without one are left out."""
    rows = await connection.fetch(_MEANS, tenant, kpi, to_datetime(from_us), to_datetime(until_us))
    return {row["account"]: row["mean"] for row in rows}
