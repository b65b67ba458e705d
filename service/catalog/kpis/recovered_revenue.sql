-- id = "recovered_revenue"
-- title = "Recovered revenue"
-- definition = "amounts of the recovered steps of cases recovered in the window, in minor units, each currency apart; per_account: a mean over the accounts that had such cases; with top: of the accounts with most of it alone"
-- family = "Revenue and customers"
-- unit = ""
-- kind = "count"
-- better = "higher"
-- dimensions = ["account", "tier", "channel", "week", "currency"]
-- apart = ["currency"]
-- default_window = "month"
-- [statistics.per_month]
-- title = "Recovered revenue a month"
-- per = "month"
-- [statistics.per_account]
-- title = "Recovered revenue an account"
-- kind = "mean"
-- [statistics.per_account_month]
-- title = "Recovered revenue an account and month"
-- per = "month"
-- of = "per_account"
-- [parameters.top]
-- title = "Only of so many accounts, those with most"
-- [suggestions.per_month]
-- op = ">"
-- target = 50000.0
-- example = true
-- [live]
-- windows = ["28d", "month"]
with accounts as (
  select tenant, win, dims, account, sum(revenue) as revenue,
         rank() over (partition by tenant, win, dims ->> 'currency' order by sum(revenue) desc) as place
  from recovered_money
  where revenue is not null
  group by tenant, win, dims, account
)
select a.tenant, a.win, a.dims, s.statistic, s.numerator, s.denominator
from (
  select tenant, win, dims, sum(revenue) as revenue, count(distinct account) as accounts
  from accounts
  where :top is null or place <= :top
  group by tenant, win, dims
) a
cross join lateral (
  values ('', a.revenue, null::numeric), ('per_account', a.revenue, a.accounts)
) as s(statistic, numerator, denominator)
