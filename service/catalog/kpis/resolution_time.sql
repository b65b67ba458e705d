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
-- [[event]]
-- family = "ticket"
-- data = { action = "opened", priority = "P2", category = "billing" }
-- [[event]]
-- family = "ticket"
-- data = { action = "resolved" }
-- time = "2025-11-17T11:30:00Z"
select tenant, win, dims, array_agg((resolved_us - idle_us - opened_us) * 1000) as durations
from tickets_resolved
where resolved_us - idle_us - opened_us >= 0
group by tenant, win, dims
