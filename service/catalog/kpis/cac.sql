-- id = "cac"
-- title = "Cost of acquiring a customer"
-- definition = "the meter cost.acquisition ÷ new customers of the window, in minor units, each currency apart; a segment's costs are those that its attribute names"
-- family = "Revenue and customers"
-- unit = ""
-- kind = "mean"
-- better = "lower"
-- dimensions = ["account", "tier", "currency"]
-- apart = ["currency"]
-- whole_days = true
-- default_window = "month"
-- [facts]
-- kind = "meter"
-- where = "d->>'meter' = 'cost.acquisition'"
-- [suggestion]
-- op = "<"
-- target = 50000.0
-- example = true
-- [live]
-- windows = ["month"]
-- [[event]]
-- family = "measurement"
-- data = { meter = "cost.acquisition", value = 125000, currency = "USD" }
-- [[event]]
-- family = "account"
with spent as (
  select tenant, win, dims, dims - 'currency' as segment, sum(amount) as amount from costs group by tenant, win, dims
), won as (
  select tenant, win, dims, count(*) as n from first_customers group by tenant, win, dims
)
select s.tenant, s.win, s.dims, '' as statistic, s.amount as numerator, n.n as denominator
from spent s
left join won n on n.tenant = s.tenant and n.win = s.win and n.dims = s.segment
