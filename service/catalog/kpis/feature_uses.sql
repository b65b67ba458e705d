-- id = "feature_uses"
-- title = "Uses of features"
-- definition = "sum of the quantities of uses; per day, per week, per active user of the window's local days, per active user and month"
-- family = "Adoption and engagement"
-- unit = "uses"
-- kind = "count"
-- better = "higher"
-- dimensions = ["account", "feature", "ok", "property.*"]
-- [statistics.per_day]
-- title = "Uses a day"
-- unit = "uses/day"
-- per = "day"
-- [statistics.per_week]
-- title = "Uses a week"
-- unit = "uses/week"
-- per = "week"
-- [statistics.per_user]
-- title = "Uses per active user"
-- unit = "uses/user"
-- kind = "mean"
-- [statistics.per_user_month]
-- title = "Uses per active user and month"
-- unit = "uses/user/month"
-- per = "month"
-- of = "per_user"
-- [facts]
-- kind = "usage"
-- [live]
-- windows = ["1h", "24h", "7d"]
-- by = [[], ["feature"]]
with uses as (
  select tenant, win, dims, sum(total) * 0.000000001 as quantity from facts group by tenant, win, dims
), of_all as (
  select w.tenant, w.win, a.chunk, bit_count(bit_or(a.bits)) as users
  from wins w
  join activity_day a on a.tenant = w.tenant and a.population = 'user' and a.feature = 0 and a.day between w.first_day and w.last_day
  where :only_account is null and not 'account' = any(:by)
  group by w.tenant, w.win, a.chunk
), active as (
  select tenant, win, null as account, sum(users) as users from of_all group by tenant, win
  union all
  select w.tenant, w.win, case when 'account' = any(:by) then s.account end, count(distinct s.user_ordinal)
  from wins w
  join seat s on s.tenant = w.tenant and (:only_account is null or s.account = any(:only_account))
  join activity_day a on a.tenant = w.tenant and a.population = 'seat' and a.feature = 0 and a.day between w.first_day and w.last_day
    and a.chunk = s.ordinal / 2048 and get_bit(a.bits, s.ordinal % 2048) = 1
  where :only_account is not null or 'account' = any(:by)
  group by 1, 2, 3
)
select u.tenant, u.win, u.dims, f.statistic, u.quantity as numerator, f.users as denominator
from uses u
left join active a on a.tenant = u.tenant and a.win = u.win and a.account is not distinct from u.dims->>'account'
cross join lateral (values ('', null), ('per_user', coalesce(a.users, 0))) as f(statistic, users)
