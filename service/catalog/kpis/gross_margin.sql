-- id = "gross_margin"
-- title = "Gross margin"
-- definition = "(MRR − the meter cost.goods_sold, a month) ÷ MRR, each currency apart; of costs of another window than a calendar month 30.4375 days' worth; a segment's costs are those that its attribute names; without costs no value"
-- family = "Revenue and customers"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["account", "tier", "currency"]
-- apart = ["currency"]
-- whole_days = true
-- default_window = "month"
-- [facts]
-- kind = "meter"
-- where = "d->>'meter' = 'cost.goods_sold'"
-- [suggestion]
-- op = ">"
-- target = 0.75
-- [live]
-- windows = ["month"]
-- [[event]]
-- family = "measurement"
-- data = { meter = "cost.goods_sold", value = 250000, currency = "USD" }
-- [[event]]
-- family = "account"
with told as (
  select tenant, win, dims, amount as mrr, null::numeric as cost from accounts_at_end where customer and amount is not null
  union all
  select c.tenant, c.win, c.dims, 0, c.amount / o.booked
  from costs c
  join elapsed_months o on o.tenant = c.tenant and o.win = c.win
)
select tenant, win, dims, '' as statistic, sum(mrr) - sum(cost) as numerator, sum(mrr) as denominator
from told
where :only_currency is null or dims ->> 'currency' = any(:only_currency)
group by tenant, win, dims
