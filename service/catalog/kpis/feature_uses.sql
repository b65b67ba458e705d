-- id = "feature_uses"
-- title = "Uses of features"
-- definition = "sum of the quantities of uses; per day, per week, per active user of the window's local days, per active user and month; by user.*: of tracked features (features.NAME.frequency, features.'*'.frequency for anything) and whole calendar weeks"
-- family = "Adoption and engagement"
-- unit = "uses"
-- kind = "count"
-- better = "higher"
-- dimensions = ["account", "feature", "ok", "property.*", "user.*"]
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
-- reads = []
-- [suggestions.per_user_month]
-- op = ">="
-- target = 4.0
-- example = true
-- [live]
-- windows = ["1h", "24h", "7d"]
-- by = [[], ["feature"]]
with of_uses as (
  select array(select name from unnest(:by) as b(name) where name in ('feature', 'ok') or name like 'property.%') as names
)
select u.tenant, u.win, u.dims, f.statistic, u.quantity as numerator, f.users as denominator, u.note
from uses_asked u
cross join of_uses o
left join anyone a on a.tenant = u.tenant and a.win = u.win and a.dims = u.dims - o.names
cross join lateral (values ('', case when u.quantity is null then 0 end), ('per_user', coalesce(a.n, 0))) as f(statistic, users)
