-- id = "tickets"
-- title = "Support tickets"
-- definition = "tickets opened in the window; resolved: those whose last resolved lies in it; escalated: those that were first escalated in it, whenever they were opened; category, priority and account as known now, the tier is the account's at the opening"
-- family = "Support"
-- unit = "tickets"
-- kind = "count"
-- better = "lower"
-- dimensions = ["category", "priority", "account", "tier"]
-- adds_up = true
-- [statistics.resolved]
-- title = "Tickets resolved"
-- better = "higher"
-- [statistics.escalated]
-- title = "Tickets escalated in the window"
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
with moments as (
  -- The score of churn asks for escalations alone, by account: the others are not read for that.
  select tenant, win, dims, 1 as opened, 0 as resolved, 0 as escalated from tickets_opened where :statistics <> array['escalated']
  union all
  select tenant, win, dims, 0, 1, 0 from tickets_resolved where :statistics <> array['escalated']
  union all
  select tenant, win, dims, 0, 0, 1 from tickets_escalated where 'escalated' = any(:statistics)
), counted as (
  select tenant, win, dims, sum(opened) as opened, sum(resolved) as resolved, sum(escalated) as escalated
  from moments
  group by tenant, win, dims
)
select c.tenant, c.win, c.dims, f.statistic, f.n as numerator, null::numeric as denominator
from counted c
cross join lateral (values ('', c.opened), ('resolved', c.resolved), ('escalated', c.escalated)) as f(statistic, n)
