-- id = "adoption_score"
-- title = "Adoption score"
-- definition = "mean of feature_adoption over the declared features (where * is declared alone: over all that were used in the window or in the 90 days before its end); features_on_target: how many reach their adoption_target, ÷ those that declare one"
-- family = "Adoption and engagement"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- test = "none"
-- dimensions = ["account", "user.*"]
-- windows = ["1d", "7d", "28d", "30d", "90d", "day", "week", "month", "quarter", "year"]
-- whole_days = true
-- default_window = "28d"
-- [statistics.features_on_target]
-- title = "Features that reach their target of adoption"
-- [suggestion]
-- op = ">="
-- target = 0.6
-- [live]
-- windows = ["7d", "28d"]
-- [[event]]
-- family = "usage"
select a.tenant, a.win, a.dims, s.statistic, s.numerator, s.denominator
from (
  select tenant, win, dims, sum(round(n, 40) / out_of) as adopted, count(*) as features,
         count(*) filter (where n::numeric / out_of >= target) as reached, count(target) as targets
  from adoption
  where out_of > 0
  group by tenant, win, dims
) a
cross join lateral (values
  ('', a.adopted, a.features), ('features_on_target', a.reached, a.targets)
) as s(statistic, numerator, denominator)
