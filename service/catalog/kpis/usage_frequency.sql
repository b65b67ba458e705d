-- id = "usage_frequency"
-- title = "Uses of a feature per user and week"
-- definition = "uses of the feature ÷ its users ÷ weeks of the window so far; per_user: without the weeks; by user.*: of tracked features (features.NAME.frequency) and whole calendar weeks"
-- family = "Adoption and engagement"
-- unit = "uses/user/week"
-- kind = "mean"
-- better = "higher"
-- dimensions = ["account", "feature", "user.*"]
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
select tenant, win, dims, 'per_user' as statistic, u.quantity as numerator, a.n as denominator, u.note
from uses_asked u left join users_asked a using (tenant, win, dims)
where a.n is not null or u.note is not null
