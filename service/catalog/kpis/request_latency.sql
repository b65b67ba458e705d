-- id = "request_latency"
-- title = "Request latency"
-- definition = "latency of requests, those that timed out with the time they took; excluded ones left out"
-- family = "Service level"
-- unit = "ms"
-- kind = "distribution"
-- better = "lower"
-- dimensions = ["account", "service", "route", "method", "region", "status", "error_kind"]
-- default_statistic = "p95"
-- adds_up = true
-- platform_wide = true
-- [facts]
-- kind = "request"
-- where = "not d ? 'excluded'"
-- [suggestion]
-- op = "<="
-- target = 500.0
-- statistic = "p95"
-- [suggestions.mean]
-- op = "<="
-- target = 200.0
-- [suggestions.p99]
-- op = "<="
-- target = 1000.0
-- [live]
-- windows = ["5m", "1h", "24h", "7d"]
-- by = [[], ["service"]]
select tenant, win, dims, sum(n) as n, sum(total) as total, min(least) as least, max(greatest) as greatest,
       string_agg(histogram, ''::bytea) as histogram
from facts
group by tenant, win, dims
