-- id = "error_budget"
-- title = "Error budget left"
-- definition = "1 − bad ÷ ((1 − objective) × total) over each SLO's own window as of the end of the one that is asked for; spent: the rest, more than 1 once it is overspent; days to exhaustion: what is left × days of its window ÷ the burn rate of the last 24 hours, no value where nothing burned"
-- family = "Service level"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- test = "none"
-- dimensions = ["account", "slo"]
-- required = ["slo"]
-- platform_wide = true
-- default_window = "day"
-- [statistics.spent]
-- title = "Error budget spent"
-- better = "lower"
-- [statistics.days_to_exhaustion]
-- title = "Days until the error budget is exhausted, at the last 24 hours' burn"
-- unit = "days"
-- kind = "mean"
-- [facts]
-- kind = "slo"
-- [suggestion]
-- op = ">="
-- target = 0.25
-- limit = 0.0
-- [live]
-- windows = ["day"]
-- by = [["slo"]]
with counted as (
  select c.tenant, c.win, c.slo, c.dims, s.over, s.objective,
         coalesce(sum(c.good) filter (where c.span = s.over), 0) as good,
         coalesce(sum(c.total) filter (where c.span = s.over), 0) as total,
         coalesce(sum(c.total - c.good) filter (where c.span = '24h'), 0) as day_bad,
         coalesce(sum(c.total) filter (where c.span = '24h'), 0) as day_total
  from budget_counts c
  join slos s on s.tenant = c.tenant and s.win = c.win and s.slo = c.slo
  group by c.tenant, c.win, c.slo, c.dims, s.over, s.objective
), budgets as (
  select c.*, c.total - c.good as bad, (1 - c.objective) * c.total as budget, w.days
  from counted c
  join budget_wins w on w.tenant = c.tenant and w.win = c.win and w.span = c.over
)
select b.tenant, b.win, b.dims, f.statistic, f.numerator, f.denominator,
       'over ' || b.over || ' with an objective of ' || trim_scale(b.objective) as note
from budgets b
cross join lateral (values
  ('', b.budget - b.bad, b.budget), ('spent', b.bad, b.budget),
  ('days_to_exhaustion', greatest(b.budget - b.bad, 0) * b.days * b.day_total,
   case when b.bad >= b.budget and b.total > 0 then 1 else b.total * b.day_bad end)
) as f(statistic, numerator, denominator)
