-- id = "time_to_escalate"
-- title = "Time to escalate"
-- definition = "the first escalated less opened, in the window of the escalation; by the wall clock; negative ones are left out"
-- family = "Support"
-- unit = "s"
-- kind = "durations"
-- better = "neither"
-- dimensions = ["category", "priority", "account", "tier"]
-- default_statistic = "mean"
-- [live]
-- windows = ["7d", "28d"]
-- by = [[], ["priority"]]
select t.tenant, t.win, t.dims, array_agg(d.duration) as durations
from wins w
join tickets_asked t on t.tenant = w.tenant and t.win = w.win
cross join lateral (
  select (t.escalated_us - t.opened_us) * 1000 as duration
) d
where t.escalated_at >= w.start_at and t.escalated_at < w.end_at and d.duration >= 0
group by t.tenant, t.win, t.dims
