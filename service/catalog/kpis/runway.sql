-- id = "runway"
-- title = "Runway"
-- definition = "the newest cash.balance (of each of its series, added up) ÷ burn, in months, each currency apart; no value when nothing burns"
-- family = "Revenue and customers"
-- unit = "months"
-- kind = "mean"
-- better = "higher"
-- dimensions = ["currency"]
-- apart = ["currency"]
-- whole_days = true
-- default_window = "month"
-- [facts]
-- kind = "meter"
-- where = "d->>'meter' like 'cost.%'"
-- [suggestion]
-- op = ">"
-- target = 18.0
-- [live]
-- windows = ["month"]
-- [[event]]
-- family = "measurement"
-- data = { meter = "cost.operating", value = 4500000, currency = "USD" }
-- [[event]]
-- family = "measurement"
-- data = { meter = "cash.balance", value = 90000000, currency = "USD" }
-- [[event]]
-- family = "account"
select b.tenant, b.win, b.dims, '' as statistic, c.amount as numerator, greatest(b.amount, 0) as denominator
from burned b
join balances c on c.tenant = b.tenant and c.win = b.win and c.dims = b.dims
