-- id = "usage_frequency"
-- title = "Uses of a feature per user and week"
-- definition = "uses of the feature ÷ its users ÷ weeks of the window so far; per_user: without the weeks"
-- family = "Adoption and engagement"
-- unit = "uses/user/week"
-- kind = "mean"
-- better = "higher"
-- dimensions = ["account", "feature"]
-- windows = ["1d", "7d", "28d", "30d", "90d", "day", "week", "month", "quarter", "year"]
-- whole_days = true
-- required = ["feature"]
-- [statistics.""]
-- title = "Uses of a feature per user and week"
-- per = "week"
-- of = "per_user"
-- [statistics.per_user]
-- title = "Uses of a feature per user"
-- unit = "uses/user"
-- kind = "mean"
-- [facts]
-- kind = "usage"
-- reads = []
-- [live]
-- windows = ["7d", "28d"]
-- by = [["feature"]]
select u.tenant, u.win, u.dims, 'per_user' as statistic, u.quantity as numerator, a.n as denominator
from (
  select tenant, win, dims, sum(total) * 0.000000001 as quantity from facts group by tenant, win, dims
) u
join active a using (tenant, win, dims)
