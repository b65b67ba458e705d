-- id = "burn_rate"
-- title = "Burn rate of error budgets"
-- definition = "(bad ÷ total) ÷ (1 − objective) over the window: at 1 the error budget lasts exactly as long as the SLO's own window"
-- family = "Service level"
-- unit = "times"
-- kind = "mean"
-- better = "lower"
-- test = "none"
-- dimensions = ["account", "slo"]
-- required = ["slo"]
-- platform_wide = true
-- default_window = "1h"
-- [facts]
-- kind = "slo"
-- [suggestion]
-- op = "<="
-- target = 1.0
-- limit = 14.4
-- [live]
-- windows = ["5m", "30m", "1h", "2h", "6h", "24h", "72h"]
-- by = [["slo"]]
with counted as (
  select tenant, win, slo, dims, sum(good) as good, sum(total) as total from slo_counts group by tenant, win, slo, dims
)
select c.tenant, c.win, c.dims, '' as statistic, c.total - c.good as numerator, c.total * (1 - s.objective) as denominator
from counted c
join slos s on s.tenant = c.tenant and s.win = c.win and s.slo = c.slo
