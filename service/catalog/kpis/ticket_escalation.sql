-- id = "ticket_escalation"
-- title = "Tickets escalated"
-- definition = "of the tickets opened in the window those that were escalated, by now ÷ tickets opened"
-- family = "Support"
-- unit = "ratio"
-- kind = "ratio"
-- better = "lower"
-- dimensions = ["category", "priority", "account", "tier"]
-- adds_up = true
-- [live]
-- windows = ["7d", "28d"]
-- by = [[], ["priority"]]
select tenant, win, dims, '' as statistic, count(escalated_us) as numerator, count(*) as denominator
from tickets_opened
group by tenant, win, dims
