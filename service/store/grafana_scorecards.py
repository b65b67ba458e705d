"""Scorecards of the newest windows, row by row, kept for the view `grafana.scorecard`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.clock import to_datetime
from service.store.engine import Connection

# The rows of these tenants' scorecards, in place of what they had: rows that say the same are not written.
_KEEP = """
with wanted as (
  select w.tenant, w.scorecard, w.place, w.window_name, w.row, w.is_critical, w.kpi, w.statistic, w.dims::jsonb as dims, w.title,
         w.unit, w.value, w.target, w.limit_value, w.status, w.reason, w.start_at, w.end_at
  from unnest($2::int[], $3::text[], $4::int[], $5::text[], $6::text[], $7::boolean[], $8::text[], $9::text[], $10::text[],
              $11::text[], $12::text[], $13::double precision[], $14::double precision[], $15::double precision[], $16::text[],
              $17::text[], $18::timestamptz[], $19::timestamptz[])
    as w(tenant, scorecard, place, window_name, row, is_critical, kpi, statistic, dims, title, unit, value, target, limit_value,
         status, reason, start_at, end_at)
), gone as (
  delete from scorecard_latest s where s.tenant = any($1::int[]) and not exists (
    select from wanted w
    where w.tenant = s.tenant and w.scorecard = s.scorecard and w.place = s.place and w.window_name = s."window"
  )
)
insert into scorecard_latest as s (tenant, scorecard, place, "window", row, is_critical, kpi, statistic, dims, title, unit, value,
                                   target, "limit", status, reason, start_at, end_at)
select * from wanted
on conflict (tenant, scorecard, place, "window") do update
set row = excluded.row, is_critical = excluded.is_critical, kpi = excluded.kpi, statistic = excluded.statistic,
    dims = excluded.dims, title = excluded.title, unit = excluded.unit, value = excluded.value, target = excluded.target,
    "limit" = excluded."limit", status = excluded.status, reason = excluded.reason, start_at = excluded.start_at,
    end_at = excluded.end_at
where (s.row, s.is_critical, s.value, s.target, s."limit", s.status, s.reason, s.end_at)
  is distinct from (excluded.row, excluded.is_critical, excluded.value, excluded.target, excluded."limit", excluded.status,
                    excluded.reason, excluded.end_at)
"""


@dataclass(frozen=True, slots=True)
class ScorecardValue:
    """One row of a scorecard in one window."""

    tenant: int
    scorecard: str
    place: int
    """Among the rows of its scorecard, from 1."""
    window: str
    row: str
    """As it is declared."""
    is_critical: bool
    kpi: str
    statistic: str
    dims: Mapping[str, Sequence[str]]
    """The values that it chooses, by dimension."""
    title: str
    unit: str
    value: float | None
    target: float | None
    limit: float | None
    status: str
    reason: str | None
    start_us: int
    end_us: int


async def keep_scorecards(connection: Connection, tenants: Sequence[int], rows: Sequence[ScorecardValue]) -> None:
    """Make `rows` all that these tenants' scorecards say."""
    plain = ("tenant", "scorecard", "place", "window", "row", "is_critical", "kpi", "statistic")
    judged = ("title", "unit", "value", "target", "limit", "status", "reason")
    await connection.execute(
        _KEEP,
        tenants,
        *([getattr(each, name) for each in rows] for name in plain),
        [json.dumps({name: ",".join(values) for name, values in each.dims.items()}, sort_keys=True) for each in rows],
        *([getattr(each, name) for each in rows] for name in judged),
        [to_datetime(each.start_us) for each in rows],
        [to_datetime(each.end_us) for each in rows],
    )
