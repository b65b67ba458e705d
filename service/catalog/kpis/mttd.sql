-- id = "mttd"
-- title = "Time to detect"
-- definition = "detected less opened, in the window of detected; false positives left out"
-- family = "Incidents"
-- unit = "s"
-- kind = "durations"
-- better = "lower"
-- dimensions = ["severity", "kind", "service", "cause", "account"]
-- platform_wide = true
-- default_statistic = "mean"
-- [suggestion]
-- op = "<="
-- target = 300.0
-- limit = 600.0
-- statistic = "mean"
-- [live]
-- windows = ["28d"]
-- by = [[], ["severity"]]
-- [[event]]
-- family = "incident"
-- data = { action = "opened", severity = "P1", service = "api" }
-- [[event]]
-- family = "incident"
-- data = { action = "detected" }
-- time = "2025-11-17T10:02:00Z"
select w.tenant, w.win, i.dims, array_agg(t.duration) as durations
from wins w
join incidents_asked i on i.tenant = w.tenant and i.win = w.win
cross join lateral (
  select (i.detected_us - i.opened_us) * 1000 as duration
) t
where not i.false_positive and i.detected_at >= w.start_at and i.detected_at < w.end_at and t.duration >= 0
group by w.tenant, w.win, i.dims
