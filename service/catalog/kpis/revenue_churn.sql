-- id = "revenue_churn"
-- title = "Churn of revenue"
-- definition = "of the MRR of customers at the window's start the share of those that are churned at its end; of a year: MRR lost in its months ÷ the mean of the MRR at their starts; by the reason of the churn, told with it or after it: of all MRR; each currency apart"
-- family = "Revenue and customers"
-- unit = "ratio"
-- kind = "ratio"
-- better = "lower"
-- dimensions = ["account", "tier", "reason", "currency"]
-- apart = ["currency"]
-- default_window = "month"
-- [statistics.per_month]
-- title = "Churn of revenue a month"
-- per = "month"
-- [suggestion]
-- op = "<"
-- target = 0.03
-- [live]
-- windows = ["month"]
-- [[event]]
-- family = "account"
-- data = { status = "active", tier = "starter", mrr = { amount = 90000, currency = "USD" } }
-- subject = "globex"
-- time = "2025-09-01T08:00:00Z"
-- [[event]]
-- family = "account"
-- data = { status = "churned", reason = "price" }
-- subject = "globex"
-- time = "2025-11-10T08:00:00Z"
with held as (
  select tenant, win, dims, round(sum(amount), 40) / max(parts) as amount from cohorts group by tenant, win, dims
), lost as (
  select tenant, win, dims, case when 'reason' = any(:by) then jsonb_build_object('reason', reason) else '{}' end as reason,
         sum(amount) as amount
  from cohorts
  where churned and (:only_reason is null or reason = any(:only_reason))
  group by 1, 2, 3, 4
)
select b.tenant, b.win, b.dims || coalesce(l.reason, '{}') as dims, '' as statistic,
       coalesce(l.amount, 0) as numerator, b.amount as denominator
from held b
left join lost l on l.tenant = b.tenant and l.win = b.win and l.dims = b.dims
where l.amount is not null or not 'reason' = any(:by)
