-- id = "recovery_incentive"
-- title = "Incentives of recoveries"
-- definition = "incentives of all steps of cases recovered in the window, in minor units, each currency apart"
-- family = "Revenue and customers"
-- unit = ""
-- kind = "count"
-- better = "lower"
-- dimensions = ["account", "tier", "channel", "week", "currency"]
-- apart = ["currency"]
-- default_window = "month"
-- [live]
-- windows = ["28d", "month"]
select tenant, win, dims, '' as statistic, sum(incentive) as numerator, null::numeric as denominator
from recovered_money
group by tenant, win, dims
