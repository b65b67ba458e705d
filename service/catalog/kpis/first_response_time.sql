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
-- [[event]]
-- family = "ticket"
-- data = { action = "opened", priority = "P2", category = "billing" }
-- [[event]]
-- family = "ticket"
-- data = { action = "first_response" }
-- time = "2025-11-17T10:20:00Z"
select tenant, win, dims, array_agg((first_response_us - opened_us) * 1000) as durations
from tickets_answered
where first_response_us - opened_us >= 0
group by tenant, win, dims
