-- id = "mrr"
-- title = "Monthly recurring revenue"
-- definition = "the newest MRR of every customer as of the window's end, added up, in minor units, each currency apart; usage_fees: the variable part of it"
-- family = "Revenue and customers"
-- unit = ""
-- kind = "count"
-- better = "higher"
-- dimensions = ["account", "status", "tier", "currency"]
-- apart = ["currency"]
-- together = ["status", "tier"]
-- default_window = "month"
-- [statistics.usage_fees]
-- title = "Usage fees: the variable part of MRR"
-- [live]
-- windows = ["month"]
-- by = [[], ["tier"]]
with amounts as materialized (
  select tenant, win, dims, '' as statistic, amount from accounts_at_end
  where customer and amount is not null and (:only_currency is null or currency = any(:only_currency))
  union all
  select tenant, win, dims, 'usage_fees', amount from usage_fees_at_end
)
select tenant, win, dims - dropped as dims, split, statistic, sum(amount) as numerator, null::numeric as denominator
from amounts cross join splits
group by tenant, win, dims - dropped, split, statistic
