-- id = "delivery_recovered"
-- title = "Deliveries recovered"
-- definition = "delivered with attempt > 1, or redelivered automatically ÷ those that failed at first (delivered with attempt > 1, failed, dead-lettered), all in the window; excluded ones left out"
-- family = "Delivery SLA"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["account", "integration", "direction"]
-- adds_up = true
-- declared = "integrations"
-- [facts]
-- kind = "delivery"
-- where = "not d ? 'excluded' and (d->>'outcome' in ('failed', 'dead_lettered', 'redelivered') or d->>'outcome' = 'delivered' and d->>'retried' = 'true')"
-- [live]
-- windows = ["24h", "7d"]
-- by = [[], ["integration"]]
-- [[event]]
-- family = "delivery"
-- data = { integration = "workday", direction = "inbound", outcome = "delivered", attempt = 2, latency_ms = 412.4 }
select tenant, win, dims, '' as statistic,
       coalesce(sum(n) filter (where d->>'outcome' = 'delivered'
                               or d->>'outcome' = 'redelivered' and d->>'automated' is distinct from 'false'), 0) as numerator,
       coalesce(sum(n) filter (where d->>'outcome' <> 'redelivered'), 0) as denominator
from facts
group by tenant, win, dims
