-- id = "customer_retention"
-- title = "Retention of customers"
-- definition = "of the customers at the window's start the share that are customers at its end"
-- family = "Revenue and customers"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["account", "tier"]
-- default_window = "month"
-- [suggestion]
-- op = ">="
-- target = 0.95
-- [live]
-- windows = ["month"]
-- [[event]]
-- family = "account"
-- data = { status = "active", tier = "starter" }
-- time = "2025-09-01T08:00:00Z"
select tenant, win, dims, '' as statistic, count(*) filter (where is_now) as numerator, count(*) as denominator
from customers_moved
where was
group by tenant, win, dims
