-- id = "average_dau"
-- title = "Average daily active users"
-- definition = "mean of the daily active users over the window's days that have begun: all of them, or business days"
-- family = "Adoption and engagement"
-- unit = "users"
-- kind = "mean"
-- better = "higher"
-- dimensions = ["account", "feature", "user.*"]
-- windows = ["1d", "7d", "28d", "30d", "90d", "day", "week", "month", "quarter", "year"]
-- whole_days = true
-- default_window = "7d"
-- [parameters.days]
-- title = "Which days the mean is made of"
-- values = ["all", "business"]
-- [suggestion]
-- op = ">="
-- target = 8.0
-- up_to = 10.0
-- example = true
-- [live]
-- windows = ["7d", "week", "28d"]
with counted as (
  select tenant, win, count(*) as n_days from counted_days group by tenant, win
)
select c.tenant, c.win, coalesce(u.dims, '{}') as dims, '' as statistic, coalesce(u.n, 0) as numerator, c.n_days as denominator
from counted c left join user_days u using (tenant, win)
where u.dims is not null or cardinality(:by) = 0
