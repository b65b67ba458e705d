-- id = "delivery_on_time"
-- title = "Deliveries on time"
-- definition = "finals delivered within their limit ÷ finals; where no limit is known, delivered ones count as on time, and a note says so; excluded ones left out"
-- family = "Delivery SLA"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["account", "integration", "direction"]
-- adds_up = true
-- declared = "integrations"
-- [facts]
-- kind = "delivery"
-- where = "not d ? 'excluded' and d->>'outcome' in ('delivered', 'failed', 'dead_lettered')"
-- [suggestion]
-- op = ">="
-- target = 0.95
-- [live]
-- windows = ["1h", "24h", "7d"]
-- by = [[], ["integration"]]
select tenant, win, dims, '' as statistic,
       coalesce(sum(n) filter (where d->>'on_time' = 'true' or not d ? 'limited' and d->>'outcome' = 'delivered'), 0) as numerator,
       sum(n) as denominator,
       case when bool_or(not d ? 'limited')
            then sum(n) filter (where not d ? 'limited') || ' of ' || sum(n)
                 || ' have no limit: delivered counts as on time' end as note
from facts
group by tenant, win, dims
