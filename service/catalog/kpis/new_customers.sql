-- id = "new_customers"
-- title = "New customers"
-- definition = "accounts that became customers in the window for the first time ever"
-- family = "Revenue and customers"
-- unit = "accounts"
-- kind = "count"
-- better = "higher"
-- dimensions = ["account", "tier"]
-- default_window = "month"
-- [statistics.per_month]
-- title = "New customers a month"
-- per = "month"
-- [live]
-- windows = ["month"]
select tenant, win, dims, '' as statistic, count(*) as numerator, null::numeric as denominator
from first_customers
group by tenant, win, dims
