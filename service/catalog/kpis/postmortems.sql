-- id = "postmortems"
-- title = "Incidents with a postmortem"
-- definition = "incidents resolved with postmortem_completed ÷ incidents resolved, of the severities declared (activity.postmortem_severities: P0 and P1); within_24h: completed within 24 hours of resolved; in the window of the last resolved; false positives left out"
-- family = "Incidents"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["severity", "kind", "service", "cause", "account"]
-- platform_wide = true
-- [statistics.within_24h]
-- title = "Incidents with a postmortem within 24 hours"
-- [live]
-- windows = ["28d"]
-- [[event]]
-- family = "incident"
-- data = { action = "opened", severity = "P1", service = "api" }
-- [[event]]
-- family = "incident"
-- data = { action = "resolved" }
-- time = "2025-11-17T11:10:00Z"
-- [[event]]
-- family = "incident"
-- data = { action = "postmortem_completed" }
-- time = "2025-11-17T16:00:00Z"
select c.tenant, c.win, c.dims, f.statistic, f.n as numerator, c.resolved as denominator
from (
  select w.tenant, w.win, i.dims, count(*) as resolved, count(i.postmortem_us) as completed,
         count(*) filter (where i.postmortem_us - i.resolved_us <= 86400000000) as soon
  from wins w
  join incidents_asked i on i.tenant = w.tenant and i.win = w.win
  join declared d on d.tenant = w.tenant
  where not i.false_positive and i.resolved_at >= w.start_at and i.resolved_at < w.end_at
    and d.config #> '{activity,postmortem_severities}' ? i.severity
  group by w.tenant, w.win, i.dims
) c
cross join lateral (values ('', c.completed), ('within_24h', c.soon)) as f(statistic, n)
