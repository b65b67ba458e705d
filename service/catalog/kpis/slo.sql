-- id = "slo"
-- title = "Compliance with SLOs"
-- definition = "good ÷ total of what an SLO counts, over the window that is asked for; objective: what was declared at its end"
-- family = "Service level"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- test = "none"
-- dimensions = ["account", "slo"]
-- required = ["slo"]
-- platform_wide = true
-- default_window = "30d"
-- [statistics.objective]
-- title = "Objective"
-- unit = "ratio"
-- better = "neither"
-- [facts]
-- kind = "slo"
-- [live]
-- windows = ["1h", "24h", "28d", "30d", "month", "quarter"]
-- by = [["slo"]]
-- statistics = [""]
with counted as (
  select tenant, win, slo, dims, sum(good) as good, sum(total) as total from slo_counts group by tenant, win, slo, dims
)
select c.tenant, c.win, c.dims, f.statistic, f.numerator, f.denominator
from counted c
join slos s on s.tenant = c.tenant and s.win = c.win and s.slo = c.slo
cross join lateral (values ('', c.good, c.total), ('objective', s.objective, 1)) as f(statistic, numerator, denominator)
