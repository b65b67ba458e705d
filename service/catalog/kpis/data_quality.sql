-- id = "data_quality"
-- title = "Quality of data"
-- definition = "events accepted (stored or duplicate) ÷ received, by the time of receipt; duplicates: of those received; completeness: optional fields that [completeness] names and that are there ÷ those that could be; silent_sources: sources that sent within 35 days before the window and not in it"
-- family = "Service level"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["source"]
-- default_window = "24h"
-- [statistics.duplicates]
-- title = "Duplicates of the events received"
-- better = "lower"
-- [statistics.completeness]
-- title = "Optional fields that are there"
-- [statistics.silent_sources]
-- title = "Sources that fell silent"
-- unit = "sources"
-- kind = "count"
-- better = "lower"
-- [facts]
-- kind = "receipt"
-- [live]
-- windows = ["1h", "24h", "7d"]
-- by = [[], ["source"]]
with received as (
  select tenant, win, dims, sum(n) filter (where d ? 'outcome') as events,
         sum(n) filter (where d->>'outcome' <> 'dead_lettered') as accepted,
         sum(n) filter (where d->>'outcome' = 'duplicate') as duplicates,
         sum(total) filter (where d ? 'field') as there, sum(n) filter (where d ? 'field') as looked_at
  from facts
  group by tenant, win, dims
)
select r.tenant, r.win, r.dims, s.statistic, s.numerator, s.denominator
from received r
cross join lateral (values
  ('', coalesce(r.accepted, 0), r.events), ('duplicates', coalesce(r.duplicates, 0), r.events),
  ('completeness', r.there, r.looked_at)
) as s(statistic, numerator, denominator)
union all
select tenant, win, dims, 'silent_sources', silent, null from source_ages
