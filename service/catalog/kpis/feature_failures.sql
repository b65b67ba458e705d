-- id = "feature_failures"
-- title = "Failed uses of features"
-- definition = "uses with ok false ÷ uses, both by their quantities"
-- family = "Adoption and engagement"
-- unit = "ratio"
-- kind = "ratio"
-- better = "lower"
-- dimensions = ["account", "feature", "property.*"]
-- adds_up = true
-- [facts]
-- kind = "usage"
-- reads = ["ok"]
-- [live]
-- windows = ["24h", "7d"]
-- by = [[], ["feature"]]
select tenant, win, dims, '' as statistic,
       coalesce(sum(total) filter (where d->>'ok' = 'false'), 0) * 0.000000001 as numerator, sum(total) * 0.000000001 as denominator
from facts
group by tenant, win, dims
