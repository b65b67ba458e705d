-- id = "incidents"
-- title = "Incidents"
-- definition = "incidents opened in the window, false positives left out; severity, kind, service and cause as known now"
-- family = "Incidents"
-- unit = "incidents"
-- kind = "count"
-- better = "lower"
-- dimensions = ["severity", "kind", "service", "cause", "account"]
-- platform_wide = true
-- [suggestion]
-- op = "<="
-- target = 10.0
-- [live]
-- windows = ["24h", "7d", "28d"]
-- by = [[], ["severity"]]
with rows as (
  select w.tenant, w.win, i.dims, 1 as n
  from wins w
  join incidents_asked i on i.tenant = w.tenant and i.win = w.win
  where not i.false_positive and i.opened_at >= w.start_at and i.opened_at < w.end_at
  union all
  select w.tenant, w.win, s.dims, 0 from wins w cross join severities s
)
select tenant, win, dims, '' as statistic, sum(n) as numerator, null::numeric as denominator
from rows
group by tenant, win, dims
