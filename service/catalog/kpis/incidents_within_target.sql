-- id = "incidents_within_target"
-- title = "Incidents resolved within their target"
-- definition = "incidents resolved within their severity's limit ([[incident_limit]], else 1 h, 4 h, 24 h, 5 d) ÷ incidents resolved; timed as mttr; in the window of the last resolved; false positives left out"
-- family = "Incidents"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["severity", "kind", "service", "cause", "account"]
-- platform_wide = true
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
with limits as (
  select d.tenant, d.config #>> '{activity,mttr_from}' as mttr_from, l ->> 'severity' as severity,
         (regexp_match(l ->> 'resolve', '^[0-9]+'))[1]::bigint * case (regexp_match(l ->> 'resolve', '[a-z]+$'))[1]
           when 's' then 1 when 'h' then 3600 when 'd' then 86400 when 'w' then 604800 else 60 end * 1000000 as limit_us
  from declared d
  cross join lateral jsonb_array_elements(d.config -> 'incident_limit') as l
)
select w.tenant, w.win, i.dims, '' as statistic,
       count(*) filter (where i.resolved_us - i.idle_us - case l.mttr_from
         when 'opened' then i.opened_us else coalesce(i.detected_us, i.opened_us) end <= l.limit_us) as numerator,
       count(*) as denominator
from wins w
join incidents_asked i on i.tenant = w.tenant and i.win = w.win
join limits l on l.tenant = i.tenant and l.severity = i.severity
where not i.false_positive and i.resolved_at >= w.start_at and i.resolved_at < w.end_at
group by w.tenant, w.win, i.dims
