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
with ends as (
  select tenant, win, account, dims, true as at_end, customer from accounts_at_end
  union all
  select tenant, win, account, null, false, customer from accounts_at_start
), accounts as (
  select tenant, win, (array_agg(dims) filter (where at_end))[1] as dims, bool_or(customer) filter (where at_end) as is_now
  from ends
  group by tenant, win, account
  having bool_or(at_end) and bool_or(customer) filter (where not at_end)
)
select tenant, win, dims, '' as statistic, count(*) filter (where is_now) as numerator, count(*) as denominator
from accounts
group by tenant, win, dims
