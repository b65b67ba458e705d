-- id = "feature_ratio"
-- title = "Use of one feature against another"
-- definition = "uses (or users) of one feature ÷ those of another, either of them a group"
-- family = "Adoption and engagement"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["account"]
-- windows = ["1d", "7d", "28d", "30d", "90d", "day", "week", "month", "quarter", "year"]
-- whole_days = true
-- [parameters.feature]
-- title = "The feature, or group of features, that is looked at"
-- feature = true
-- [parameters.of]
-- title = "The feature, or group of features, that it is a share of"
-- feature = true
-- [parameters.count]
-- title = "What is counted"
-- values = ["uses", "users"]
-- default = "uses"
-- [facts]
-- kind = "usage"
-- reads = ["feature"]
-- of_labels = true
-- [suggestion]
-- op = ">"
-- target = 0.4
-- example = true
-- [[event]]
-- family = "usage"
-- [[event]]
-- family = "usage"
-- data = { feature = "dashboard" }
with counts as (
  select f.tenant, f.win, f.dims, l.label, sum(f.total) * 0.000000001 as n
  from facts f
  join labels l on l.tenant = f.tenant and l.feature = f.d->>'feature'
  where :count = 'uses'
  group by f.tenant, f.win, f.dims, l.label
  union all
  select tenant, win, dims, label, n from used where :count = 'users'
)
select tenant, win, dims, '' as statistic,
       coalesce(sum(n) filter (where label = :feature), 0) as numerator, sum(n) filter (where label = :of) as denominator
from counts
group by tenant, win, dims
