-- id = "feature_users"
-- title = "Users of features"
-- definition = "distinct users of the feature, per account and feature"
-- family = "Adoption and engagement"
-- unit = "users"
-- kind = "count"
-- better = "higher"
-- dimensions = ["account", "feature", "user.*"]
-- windows = ["1d", "7d", "28d", "30d", "90d", "day", "week", "month", "quarter", "year"]
-- whole_days = true
-- default_window = "7d"
-- required = ["feature"]
-- [live]
-- windows = ["7d", "28d"]
-- by = [["feature"]]
select r.tenant, r.win, r.dims, '' as statistic, coalesce(a.n, 0) as numerator, null::numeric as denominator
from feature_rows r
left join active a using (tenant, win, dims)
