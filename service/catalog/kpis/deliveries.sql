-- id = "deliveries"
-- title = "Deliveries"
-- definition = "finals: delivered, failed and dead-lettered deliveries, excluded ones too"
-- family = "Delivery SLA"
-- unit = "deliveries"
-- kind = "count"
-- better = "neither"
-- dimensions = ["account", "integration", "direction", "outcome", "excluded"]
-- adds_up = true
-- declared = "integrations"
-- [statistics.per_minute]
-- title = "Deliveries a minute"
-- unit = "deliveries/min"
-- per = "minute"
-- [facts]
-- kind = "delivery"
-- where = "d->>'outcome' in ('delivered', 'failed', 'dead_lettered')"
-- [live]
-- windows = ["5m", "1h", "24h", "7d"]
-- by = [[], ["integration"]]
select tenant, win, dims, '' as statistic, sum(n) as numerator, null::numeric as denominator
from facts
group by tenant, win, dims
