-- id = "delivery_failed"
-- title = "Deliveries that failed"
-- definition = "failed and dead-lettered ÷ finals; excluded ones left out"
-- family = "Delivery SLA"
-- unit = "ratio"
-- kind = "ratio"
-- better = "lower"
-- dimensions = ["account", "integration", "direction"]
-- adds_up = true
-- declared = "integrations"
-- [facts]
-- kind = "delivery"
-- where = "not d ? 'excluded' and d->>'outcome' in ('delivered', 'failed', 'dead_lettered')"
-- [suggestion]
-- op = "<="
-- target = 0.02
-- [live]
-- windows = ["1h", "24h", "7d"]
-- by = [[], ["integration"]]
select tenant, win, dims, '' as statistic,
       coalesce(sum(n) filter (where d->>'outcome' <> 'delivered'), 0) as numerator,
       sum(n) as denominator
from facts
group by tenant, win, dims
