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
-- [[event]]
-- family = "request"
-- data = { service = "api", route = "/orders/{id}", method = "GET", status = 503, latency_ms = 87.3 }
with counted as (
  select tenant, win, slo, dims, objective, over, max(length_days) filter (where span = over) as length_days,
         coalesce(sum(good) filter (where span = over), 0) as good, coalesce(sum(total) filter (where span = over), 0) as total,
         coalesce(sum(total - good) filter (where span = '24h'), 0) as day_bad,
         coalesce(sum(total) filter (where span = '24h'), 0) as day_total
  from budget_counts
  group by tenant, win, slo, dims, objective, over
), budgets as (
  select *, total - good as bad, (1 - objective) * total as budget from counted
)
select b.tenant, b.win, b.dims, f.statistic, f.numerator, f.denominator,
       'over ' || b.over || ' with an objective of ' || trim_scale(b.objective) as note
from budgets b
cross join lateral (values
  ('', b.budget - b.bad, b.budget), ('spent', b.bad, b.budget),
  ('days_to_exhaustion', greatest(b.budget - b.bad, 0) * b.length_days * b.day_total,
   case when b.bad >= b.budget and b.total > 0 then 1 else b.total * b.day_bad end)
) as f(statistic, numerator, denominator)
