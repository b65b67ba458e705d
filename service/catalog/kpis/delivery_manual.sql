-- id = "delivery_manual"
-- title = "Deliveries redelivered by hand"
-- definition = "deliveries redelivered by hand (automated false), a week; excluded ones left out"
-- family = "Delivery SLA"
-- unit = "deliveries"
-- kind = "count"
-- better = "lower"
-- dimensions = ["account", "integration", "direction"]
-- adds_up = true
-- declared = "integrations"
-- default_statistic = "per_week"
-- [statistics.per_week]
-- title = "Deliveries redelivered by hand, a week"
-- unit = "deliveries/week"
-- per = "week"
-- [facts]
-- kind = "delivery"
-- where = "not d ? 'excluded' and d->>'outcome' = 'redelivered' and d->>'automated' = 'false'"
-- [live]
-- windows = ["7d", "28d"]
-- by = [[], ["integration"]]
-- [[event]]
-- family = "delivery"
-- data = { integration = "workday", direction = "inbound", outcome = "redelivered", automated = false }
select tenant, win, dims, '' as statistic, sum(n) as numerator, null::numeric as denominator
from facts
group by tenant, win, dims
