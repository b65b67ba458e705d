-- id = "false_positives"
-- title = "False positives"
-- definition = "incidents opened in the window that were false positives, as known now"
-- family = "Incidents"
-- unit = "incidents"
-- kind = "count"
-- better = "lower"
-- dimensions = ["severity", "kind", "service", "cause", "account"]
-- platform_wide = true
-- [live]
-- windows = ["7d"]
-- [[event]]
-- family = "incident"
-- data = { action = "opened", severity = "P1", service = "api" }
-- [[event]]
-- family = "incident"
-- data = { action = "false_positive" }
-- time = "2025-11-17T10:20:00Z"
with rows as (
  select w.tenant, w.win, i.dims, 1 as n
  from wins w
  join incidents_asked i on i.tenant = w.tenant and i.win = w.win
  where i.false_positive and i.opened_at >= w.start_at and i.opened_at < w.end_at
  union all
  select w.tenant, w.win, s.dims, 0 from wins w cross join severities s
)
select tenant, win, dims, '' as statistic, sum(n) as numerator, null::numeric as denominator
from rows
group by tenant, win, dims
