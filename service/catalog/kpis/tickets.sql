-- id = "tickets"
-- title = "Support tickets"
-- definition = "tickets opened in the window; resolved: those whose last resolved lies in it; category, priority and account as known now, the tier is the account's at the opening"
-- family = "Support"
-- unit = "tickets"
-- kind = "count"
-- better = "lower"
-- dimensions = ["category", "priority", "account", "tier"]
-- [statistics.resolved]
-- title = "Tickets resolved"
-- better = "higher"
-- [statistics.per_day]
-- title = "Tickets opened a day"
-- per = "day"
-- [statistics.per_month]
-- title = "Tickets opened a month"
-- per = "month"
-- [statistics.resolved_per_day]
-- title = "Tickets resolved a day"
-- better = "higher"
-- per = "day"
-- of = "resolved"
-- [statistics.resolved_per_month]
-- title = "Tickets resolved a month"
-- better = "higher"
-- per = "month"
-- of = "resolved"
-- [live]
-- windows = ["24h", "7d", "28d"]
-- by = [[], ["category"], ["priority"]]
-- statistics = ["", "resolved"]
select t.tenant, t.win, t.dims, f.statistic, f.n as numerator, null::numeric as denominator
from (
  select t.tenant, t.win, t.dims,
         count(*) filter (where t.opened_at >= w.start_at and t.opened_at < w.end_at) as opened,
         count(*) filter (where t.resolved_at >= w.start_at and t.resolved_at < w.end_at) as resolved
  from wins w
  join tickets_asked t on t.tenant = w.tenant and t.win = w.win
  group by t.tenant, t.win, t.dims
) t
cross join lateral (values ('', t.opened), ('resolved', t.resolved)) as f(statistic, n)
where t.opened > 0 or t.resolved > 0
