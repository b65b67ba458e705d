-- id = "first_response_time"
-- title = "Time to the first response"
-- definition = "the first first_response less opened, in the window of the response; by the wall clock; negative ones are left out"
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
  select (t.first_response_us - t.opened_us) * 1000 as duration
) d
where t.first_response_at >= w.start_at and t.first_response_at < w.end_at and d.duration >= 0
group by t.tenant, t.win, t.dims
