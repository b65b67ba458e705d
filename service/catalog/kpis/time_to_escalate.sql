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
-- [[event]]
-- family = "ticket"
-- data = { action = "opened", priority = "P2", category = "billing" }
-- [[event]]
-- family = "ticket"
-- data = { action = "escalated", level = 2 }
-- time = "2025-11-17T10:45:00Z"
select tenant, win, dims, array_agg((escalated_us - opened_us) * 1000) as durations
from tickets_escalated
where escalated_us - opened_us >= 0
group by tenant, win, dims
