-- id = "first_contact_resolution"
-- title = "Resolved at the first contact"
-- definition = "tickets whose steps say first_contact ÷ tickets resolved; in the window of the last resolved"
-- family = "Support"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["category", "priority", "account", "tier"]
-- adds_up = true
-- [live]
-- windows = ["7d", "28d"]
-- by = [[], ["category"]]
-- [[event]]
-- family = "ticket"
-- data = { action = "opened", priority = "P2", category = "billing" }
-- [[event]]
-- family = "ticket"
-- data = { action = "resolved", first_contact = true }
-- time = "2025-11-17T11:30:00Z"
select tenant, win, dims, '' as statistic, count(*) filter (where first_contact) as numerator, count(*) as denominator
from tickets_resolved
group by tenant, win, dims
