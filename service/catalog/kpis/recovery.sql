-- id = "recovery"
-- title = "Recovery of subscribers at risk"
-- definition = "of the cases that became at risk in the window the share recovered by now; recovered is a case whose newest outcome is recovered, not lost"
-- family = "Revenue and customers"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["account", "tier", "channel", "week"]
-- together = ["tier", "channel", "week"]
-- default_window = "28d"
-- [statistics.cases]
-- title = "Cases that became at risk"
-- unit = "cases"
-- kind = "count"
-- better = "neither"
-- [statistics.recovered]
-- title = "Of them recovered by now"
-- unit = "cases"
-- kind = "count"
-- [suggestion]
-- op = ">"
-- target = 0.2
-- [live]
-- windows = ["28d"]
-- by = [[], ["channel"]]
with cases_counted as materialized (
  select tenant, win, dims, count(*) as n, count(recovered_us) as recovered from at_risk_cases group by tenant, win, dims
)
select c.tenant, c.win, c.dims, c.split, s.statistic, s.numerator, s.denominator
from (
  select tenant, win, dims - dropped as dims, split, sum(n) as n, sum(recovered) as recovered
  from cases_counted cross join splits
  group by tenant, win, dims - dropped, split
) c
cross join lateral (
  values ('', c.recovered, c.n), ('cases', c.n, null), ('recovered', c.recovered, null)
) as s(statistic, numerator, denominator)
