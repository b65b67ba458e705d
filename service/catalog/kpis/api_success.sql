-- id = "api_success"
-- title = "API success rate"
-- definition = "1 − (requests answered with 500 to 599, or timed out) ÷ requests; excluded ones left out"
-- family = "Service level"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["account", "service", "route", "method", "region"]
-- adds_up = true
-- platform_wide = true
-- [facts]
-- kind = "request"
-- where = "not d ? 'excluded'"
-- [suggestion]
-- op = ">="
-- target = 0.999
-- [live]
-- windows = ["5m", "1h", "24h", "7d"]
-- by = [[], ["service"]]
select tenant, win, dims, '' as statistic,
       coalesce(sum(n) filter (where not (d->>'status' like '5__' or d->>'status' = 'timeout')), 0) as numerator,
       sum(n) as denominator
from facts
group by tenant, win, dims
