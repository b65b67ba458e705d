-- id = "arpa"
-- title = "Average revenue per account"
-- definition = "MRR ÷ customers, as of the window's end, in minor units, each currency apart: customers whose MRR is in another currency are left out"
-- family = "Revenue and customers"
-- unit = ""
-- kind = "mean"
-- better = "higher"
-- dimensions = ["account", "tier", "currency"]
-- apart = ["currency"]
-- default_window = "month"
-- [live]
-- windows = ["month"]
with held as (
  select tenant, win, dims - 'currency' as dims, currency, sum(amount) as amount, count(*) as customers,
         coalesce(sum(count(*)) filter (where currency is null) over alike, 0) as without_mrr
  from accounts_at_end
  where customer
  group by tenant, win, dims - 'currency', currency
  window alike as (partition by tenant, win, dims - 'currency')
)
select tenant, win, dims || jsonb_build_object('currency', currency) as dims, '' as statistic,
       amount as numerator, customers + without_mrr as denominator
from held
where currency is not null and (:only_currency is null or currency = any(:only_currency))
