-- id = "mttr"
-- title = "Time to resolve"
-- definition = "the last resolved less detected, else opened (opened where activity.mttr_from says so), without the time between resolved and reopened; in the window of resolved; false positives left out"
-- family = "Incidents"
-- unit = "s"
-- kind = "durations"
-- better = "lower"
-- dimensions = ["severity", "kind", "service", "cause", "account"]
-- platform_wide = true
-- default_statistic = "mean"
-- [suggestion]
-- op = "<="
-- target = 3600.0
-- limit = 14400.0
-- statistic = "mean"
-- [live]
-- windows = ["7d", "28d"]
-- by = [[], ["severity"]]
-- [[event]]
-- family = "incident"
-- data = { action = "opened", severity = "P1", service = "api" }
-- [[event]]
-- family = "incident"
-- data = { action = "resolved" }
-- time = "2025-11-17T11:10:00Z"
select w.tenant, w.win, i.dims, array_agg(t.duration) as durations
from wins w
join incidents_asked i on i.tenant = w.tenant and i.win = w.win
join declared d on d.tenant = w.tenant
cross join lateral (
  select (i.resolved_us - i.idle_us - case
    when d.config #>> '{activity,mttr_from}' = 'opened' then i.opened_us else coalesce(i.detected_us, i.opened_us)
  end) * 1000 as duration
) t
where not i.false_positive and i.resolved_at >= w.start_at and i.resolved_at < w.end_at and t.duration >= 0
group by w.tenant, w.win, i.dims
