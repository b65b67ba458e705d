-- id = "feature_heatmap"
-- title = "Heat map of features"
-- definition = "users per feature and local day, summed per weekday (1 is Monday): user-days; total: of all weekdays"
-- family = "Adoption and engagement"
-- unit = "user-days"
-- kind = "count"
-- better = "higher"
-- dimensions = ["account", "feature", "weekday", "user.*"]
-- windows = ["1d", "7d", "28d", "30d", "90d", "day", "week", "month", "quarter", "year"]
-- whole_days = true
-- default_window = "week"
-- [statistics.total]
-- title = "User-days of all weekdays"
-- [live]
-- windows = ["7d", "28d"]
-- by = [["feature", "weekday"]]
-- statistics = [""]
with shown as (
  select o.tenant, o.win, o.dims || e.dims as dims from anyone o join expected e on e.tenant = o.tenant
  union
  select a.tenant, a.win, a.dims
  from user_weekdays a join anyone o on o.tenant = a.tenant and o.win = a.win and o.dims = a.dims - 'feature'
), weekdays as (
  select d.weekday from generate_series(0, 7) as d(weekday)
  where (d.weekday > 0) = ('weekday' = any(:by) or :only_weekday is not null)
    and (:only_weekday is null or d.weekday::text = any(:only_weekday))
), cells as (
  select r.tenant, r.win, r.dims, w.weekday, coalesce(a.n, 0) as n
  from shown r
  cross join weekdays w
  left join user_weekdays a on a.tenant = r.tenant and a.win = r.win and a.dims = r.dims and a.weekday = w.weekday
)
select tenant, win, dims || jsonb_build_object('weekday', weekday::text) as dims, '' as statistic,
       n as numerator, null::numeric as denominator
from cells where 'weekday' = any(:by)
union all
select tenant, win, dims, s.statistic, sum(n), null
from cells cross join (values (''), ('total')) as s(statistic)
where s.statistic = 'total' or not 'weekday' = any(:by)
group by tenant, win, dims, s.statistic
