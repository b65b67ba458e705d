-- id = "dau"
-- title = "Daily active users"
-- definition = "distinct users who were active on the local day"
-- family = "Adoption and engagement"
-- unit = "users"
-- kind = "count"
-- better = "higher"
-- dimensions = []
-- windows = ["1d", "day"]
-- whole_days = true
-- default_window = "1d"
-- [live]
-- windows = ["1d"]
select w.tenant, w.win, '{}'::jsonb as dims, '' as statistic,
       sum(bit_count(a.bits)) as numerator, null::numeric as denominator
from wins w
join activity_day a on a.tenant = w.tenant and a.population = 'user' and a.feature = 0
  and a.day >= w.first_day and a.day < w.end_day
group by w.tenant, w.win
