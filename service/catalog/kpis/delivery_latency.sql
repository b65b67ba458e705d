-- id = "delivery_latency"
-- title = "Delivery latency"
-- definition = "latency of what was delivered; excluded ones left out"
-- family = "Delivery SLA"
-- unit = "ms"
-- kind = "distribution"
-- better = "lower"
-- dimensions = ["account", "integration", "direction"]
-- default_statistic = "p95"
-- adds_up = true
-- declared = "integrations"
-- [facts]
-- kind = "delivery"
-- where = "not d ? 'excluded' and d->>'outcome' = 'delivered'"
-- [suggestion]
-- op = "<="
-- target = 500.0
-- statistic = "p95"
-- [live]
-- windows = ["1h", "24h", "7d"]
-- by = [[], ["integration"]]
select tenant, win, dims, sum(n) as n, sum(total) as total, min(least) as least, max(greatest) as greatest,
       string_agg(histogram, ''::bytea) as histogram
from facts
group by tenant, win, dims
