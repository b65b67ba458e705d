-- id = "requests"
-- title = "Requests"
-- definition = "requests that services answered or let time out, excluded ones too"
-- family = "Service level"
-- unit = "requests"
-- kind = "count"
-- better = "neither"
-- dimensions = ["account", "service", "route", "method", "region", "status", "error_kind", "excluded"]
-- adds_up = true
-- platform_wide = true
-- [statistics.per_minute]
-- title = "Requests a minute"
-- unit = "requests/min"
-- per = "minute"
-- [facts]
-- kind = "request"
-- [live]
-- windows = ["5m", "1h", "24h", "7d"]
-- by = [[], ["service"]]
select tenant, win, dims, '' as statistic, sum(n) as numerator, null::numeric as denominator
from facts
group by tenant, win, dims
