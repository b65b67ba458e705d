-- id = "customers"
-- title = "Customers"
-- definition = "accounts whose status as of the window's end is one of activity.customer_statuses (active, at_risk); accounts: those of any status"
-- family = "Revenue and customers"
-- unit = "accounts"
-- kind = "count"
-- better = "higher"
-- dimensions = ["account", "status", "tier"]
-- together = ["status", "tier"]
-- default_window = "day"
-- [statistics.accounts]
-- title = "Accounts, whatever their status"
-- better = "neither"
-- [live]
-- windows = ["day"]
-- by = [[], ["status"], ["tier"]]
with standing as materialized (
  select tenant, win, dims, count(*) filter (where customer) as customers, count(*) as accounts
  from accounts_at_end group by tenant, win, dims
)
select a.tenant, a.win, a.dims, a.split, s.statistic, s.n as numerator, null::numeric as denominator
from (
  select tenant, win, dims - dropped as dims, split, sum(customers) as customers, sum(accounts) as accounts
  from standing cross join splits
  group by tenant, win, dims - dropped, split
) a
cross join lateral (values ('', a.customers), ('accounts', a.accounts)) as s(statistic, n)
