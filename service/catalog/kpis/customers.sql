-- id = "customers"
-- title = "Customers"
-- definition = "accounts whose status as of the window's end is one of activity.customer_statuses (active, at_risk); accounts: those of any status"
-- family = "Revenue and customers"
-- unit = "accounts"
-- kind = "count"
-- better = "higher"
-- dimensions = ["account", "status", "tier"]
-- default_window = "day"
-- [statistics.accounts]
-- title = "Accounts, whatever their status"
-- better = "neither"
-- [live]
-- windows = ["day"]
-- by = [[], ["status"], ["tier"]]
select a.tenant, a.win, a.dims, s.statistic, s.n as numerator, null::numeric as denominator
from (
  select tenant, win, dims, count(*) filter (where customer) as customers, count(*) as accounts
  from accounts_at_end group by tenant, win, dims
) a
cross join lateral (values ('', a.customers), ('accounts', a.accounts)) as s(statistic, n)
