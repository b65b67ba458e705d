-- id = "first_contact_resolution"
-- title = "Resolved at the first contact"
-- definition = "tickets whose steps say first_contact ÷ tickets resolved; in the window of the last resolved"
-- family = "Support"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["category", "priority", "account", "tier"]
-- [live]
-- windows = ["7d", "28d"]
-- by = [[], ["category"]]
select t.tenant, t.win, t.dims, '' as statistic, count(*) filter (where t.first_contact) as numerator, count(*) as denominator
from wins w
join tickets_asked t on t.tenant = w.tenant and t.win = w.win
where t.resolved_at >= w.start_at and t.resolved_at < w.end_at
group by t.tenant, t.win, t.dims
