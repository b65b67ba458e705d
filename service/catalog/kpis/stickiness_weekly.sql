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
)
select a.tenant, a.win, a.dims, '' as statistic, coalesce(u.n, 0) as numerator, c.n_days * a.n as denominator
from active a
join counted c using (tenant, win)
left join user_days u using (tenant, win, dims)
