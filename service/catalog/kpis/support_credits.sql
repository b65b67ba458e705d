-- id = "support_credits"
-- title = "Credits for missed support limits"
-- definition = "for each account and month (of the support zone) the credit of its tier for every response and resolution that was late, or the percentage in place of the sum for two or more, at most the whole fee, of the MRR at the month's end, rounded half-even; share: credits ÷ these accounts' MRR; reviews: accounts whose third miss of the quarter lies in the month (not starter)"
-- family = "Support"
-- unit = ""
-- kind = "count"
-- better = "lower"
-- dimensions = ["account", "tier", "currency"]
-- apart = ["currency"]
-- together = ["account", "tier"]
-- windows = ["month", "quarter", "year"]
-- custom = false
-- default_window = "month"
-- [statistics.share]
-- title = "Share of the month's fee"
-- unit = "ratio"
-- kind = "ratio"
-- [statistics.misses]
-- title = "Limits that were missed"
-- unit = "misses"
-- [statistics.reviews]
-- title = "Accounts whose contract is to be reviewed"
-- unit = "accounts"
-- [live]
-- windows = ["month"]
-- by = [[], ["account"]]
-- [[event]]
-- family = "account"
-- data = { status = "active", tier = "enterprise", mrr = { amount = 1250000, currency = "USD" } }
-- time = "2025-10-01T09:00:00Z"
-- [[event]]
-- family = "ticket"
-- data = { action = "opened", priority = "P2", category = "billing" }
-- time = "2025-11-10T10:00:00Z"
with owed as materialized (
  select tenant, win, dims, percent, fee, credit, misses, reviews from sla_credits
)
select c.tenant, c.win, c.dims, c.split, f.statistic, f.numerator, f.denominator
from (
  select tenant, win, dims - dropped as dims, split, coalesce(sum(credit), 0) as credit, sum(misses) as misses,
         sum(reviews) as reviews, coalesce(nullif(sum(percent * fee), 0), sum(percent)) as owed,
         coalesce(nullif(sum(fee), 0), count(*)) as fees
  from owed cross join splits
  group by tenant, win, dims - dropped, split
) c
cross join lateral (
  values ('', c.credit, null), ('share', c.owed / 100, c.fees), ('misses', c.misses, null), ('reviews', c.reviews, null)
) as f(statistic, numerator, denominator)
