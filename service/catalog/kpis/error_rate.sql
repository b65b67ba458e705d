-- id = "error_rate"
-- title = "Error rate"
-- definition = "requests with a status of 400 or more, or timed out ÷ requests, excluded ones left out; split by status or error_kind: such errors ÷ all requests of the rest of the split"
-- family = "Service level"
-- unit = "ratio"
-- kind = "ratio"
-- better = "lower"
-- dimensions = ["account", "service", "route", "method", "region", "status", "error_kind"]
-- platform_wide = true
-- [statistics.4xx]
-- title = "Share of requests answered with 400 to 499"
-- [statistics.5xx]
-- title = "Share of requests answered with 500 to 599"
-- [statistics.timeout]
-- title = "Share of requests that timed out"
-- [facts]
-- kind = "request"
-- where = "not d ? 'excluded'"
-- counted_by = ["status", "error_kind"]
-- [suggestion]
-- op = "<="
-- target = 0.005
-- [live]
-- windows = ["5m", "1h", "24h", "7d"]
-- by = [[], ["service"]]
with classed as (
  select tenant, win, dims, n,
         case when not counted then '' when d->>'status' like '4__' then '4xx' when d->>'status' like '5__' then '5xx'
              when d->>'status' = 'timeout' then 'timeout' else '' end as class
  from facts
), summed as (
  select tenant, win, dims,
         sum(n) filter (where class <> '') as errors, sum(n) filter (where class = '4xx') as e4,
         sum(n) filter (where class = '5xx') as e5, sum(n) filter (where class = 'timeout') as timeouts,
         sum(sum(n)) over (partition by tenant, win, dims - array['status', 'error_kind']) as requests
  from classed
  group by tenant, win, dims
)
select s.tenant, s.win, s.dims, f.statistic, coalesce(f.errors, 0) as numerator, s.requests as denominator
from summed s
cross join lateral (values ('', s.errors), ('4xx', s.e4), ('5xx', s.e5), ('timeout', s.timeouts)) as f(statistic, errors)
where s.errors > 0 or not s.dims ?| array['status', 'error_kind']
