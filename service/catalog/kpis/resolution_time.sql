-- id = "resolution_time"
-- title = "Time to resolve a ticket"
-- definition = "the last resolved less opened, without the time between resolved and reopened, in the window of resolved; by the wall clock; negative ones are left out"
-- family = "Support"
-- unit = "s"
-- kind = "durations"
-- better = "lower"
-- dimensions = ["category", "priority", "account", "tier"]
-- default_statistic = "mean"
-- [live]
-- windows = ["7d", "28d"]
-- by = [[], ["priority"]]
select t.tenant, t.win, t.dims, array_agg(d.duration) as durations
from wins w
join tickets_asked t on t.tenant = w.tenant and t.win = w.win
cross join lateral (
  select (t.resolved_us - t.idle_us - t.opened_us) * 1000 as duration
) d
where t.resolved_at >= w.start_at and t.resolved_at < w.end_at and d.duration >= 0
group by t.tenant, t.win, t.dims
