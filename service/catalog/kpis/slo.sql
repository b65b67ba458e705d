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
-- [[event]]
-- family = "request"
select c.tenant, c.win, c.dims, f.statistic, f.numerator, f.denominator
from slo_counts c
cross join lateral (values ('', c.good, c.total), ('objective', c.objective, 1)) as f(statistic, numerator, denominator)
