-- id = "ticket_escalation"
-- title = "Tickets escalated"
-- definition = "of the tickets opened in the window those that were escalated, by now ÷ tickets opened"
-- family = "Support"
-- unit = "ratio"
-- kind = "ratio"
-- better = "lower"
-- dimensions = ["category", "priority", "account", "tier"]
-- [live]
-- windows = ["7d", "28d"]
-- by = [[], ["priority"]]
select t.tenant, t.win, t.dims, '' as statistic, count(t.escalated_us) as numerator, count(*) as denominator
from wins w
join tickets_asked t on t.tenant = w.tenant and t.win = w.win
where t.opened_at >= w.start_at and t.opened_at < w.end_at
group by t.tenant, t.win, t.dims
