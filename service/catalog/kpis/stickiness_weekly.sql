-- id = "stickiness_weekly"
-- title = "Stickiness of a week"
-- definition = "average daily active users ÷ distinct active users of the same window (numerator: user-days; denominator: days × users)"
-- family = "Adoption and engagement"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- test = "none"
-- dimensions = ["account", "feature", "user.*"]
-- windows = ["1d", "7d", "28d", "30d", "90d", "day", "week", "month", "quarter", "year"]
-- whole_days = true
-- default_window = "7d"
-- default_window_from = "activity.wau_window"
-- [parameters.days]
-- title = "Which days the mean is made of"
-- values = ["all", "business"]
-- [suggestion]
-- op = ">="
-- target = 0.5
-- [live]
-- windows = ["7d", "week"]
with counted as (
  select tenant, win, count(*) as n_days from counted_days group by tenant, win
), added as (
  -- One below the other: a join of accounts by guessed numbers of them would be quadratic.
  select tenant, win, dims, sum(users) as users, sum(of_days) as of_days
  from (
    select tenant, win, dims, n as users, 0 as of_days from active
    union all
    select tenant, win, dims, 0, n from user_days
  ) a
  group by tenant, win, dims
)
select a.tenant, a.win, a.dims, '' as statistic, a.of_days as numerator, c.n_days * a.users as denominator
from added a
join counted c using (tenant, win)
where a.users > 0
